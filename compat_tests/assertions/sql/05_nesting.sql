-- Nesting to any depth, with negations and correlation across levels.
-- Oracle 26ai: at most 3 levels.
-- Endb: any depth.
-- PostgreSQL: no assertions.

CREATE TABLE course (id int PRIMARY KEY, level int);
CREATE TABLE student (id int PRIMARY KEY, level int);
CREATE TABLE needs (course int, topic int, PRIMARY KEY (course, topic));
CREATE TABLE passed (student int, course int, PRIMARY KEY (student, course));
CREATE TABLE teaches (course int, topic int, PRIMARY KEY (course, topic));
CREATE INDEX ON needs (topic);
CREATE INDEX ON passed (course);
CREATE INDEX ON teaches (topic);
CREATE INDEX ON student (level);
INSERT INTO course VALUES (1, 1), (2, 2);
INSERT INTO teaches VALUES (1, 100), (1, 101);
INSERT INTO needs VALUES (2, 100), (2, 101);
INSERT INTO student VALUES (1, 1), (2, 1);
-- Two levels of NOT EXISTS: whoever passed course 2 has passed a course for each topic it needs.
CREATE ASSERTION prepared CHECK (NOT EXISTS (
  SELECT p.student, p.course, n.topic FROM passed p JOIN needs n ON n.course = p.course
  WHERE NOT EXISTS (SELECT FROM teaches t WHERE t.topic = n.topic
    AND EXISTS (SELECT FROM passed q WHERE q.student = p.student AND q.course = t.course))));
-- refused
INSERT INTO passed VALUES (1, 2);
INSERT INTO passed VALUES (1, 1), (1, 2);
-- refused
DELETE FROM passed WHERE course = 1;
-- refused
DELETE FROM teaches WHERE topic = 101;
-- refused
INSERT INTO needs VALUES (2, 102);
DELETE FROM needs WHERE topic = 101;
DELETE FROM teaches WHERE topic = 101;
-- Five levels: for each level with students there is a course of it such that no topic that it needs is one that no course teaches.
CREATE ASSERTION five CHECK (NOT EXISTS (
  SELECT s.id, s.level FROM student s WHERE NOT EXISTS (
    SELECT FROM course c WHERE c.level = s.level AND NOT EXISTS (
      SELECT FROM needs n WHERE n.course = c.id AND NOT EXISTS (
        SELECT FROM teaches t WHERE t.topic = n.topic AND EXISTS (
          SELECT FROM course d WHERE d.id = t.course AND d.level <= c.level))))));
-- refused
INSERT INTO student VALUES (3, 3);
UPDATE student SET level = 2 WHERE id = 2;
-- refused
INSERT INTO needs VALUES (1, 999);
-- refused
UPDATE course SET level = 9 WHERE id = 1;
-- refused
DELETE FROM course WHERE id = 2;
-- refused
UPDATE teaches SET topic = 7 WHERE topic = 100;
INSERT INTO teaches VALUES (2, 100);
-- A level below the aggregate, and an aggregate below a negation.
CREATE ASSERTION busy CHECK (NOT EXISTS (
  SELECT c.id FROM course c WHERE c.level > 1 AND NOT EXISTS (
    SELECT FROM needs n WHERE n.course = c.id AND (
      SELECT count(*) FROM teaches t WHERE t.topic = n.topic AND NOT EXISTS (SELECT FROM course d WHERE d.id = t.course AND d.level > 5)) >= 2)));
-- refused
DELETE FROM teaches WHERE course = 1;
-- refused
UPDATE course SET level = 6 WHERE id = 2;
-- refused
DELETE FROM needs;
-- Four levels of IN, NOT IN, ANY and ALL.
CREATE ASSERTION quantified CHECK (NOT EXISTS (
  SELECT id FROM student WHERE level NOT IN (
    SELECT level FROM course WHERE level IS NOT NULL AND id = ANY (
      SELECT course FROM teaches WHERE topic <= ALL (
        SELECT topic FROM needs WHERE course IN (SELECT course FROM needs WHERE topic > 0))))));
-- refused
INSERT INTO needs VALUES (1, 50);
-- refused
UPDATE course SET level = 3 WHERE id = 1;
