-- Joins of all kinds: comma, ANSI, USING, NATURAL, outer, self, non-equi.
-- Oracle 26ai: equijoins of base tables written with commas. ANSI joins are refused with ORA-08697, which speaks of something else.
-- Endb: any join.
-- PostgreSQL: no assertions.

CREATE TABLE dept (dept_id int PRIMARY KEY, cap int, head int);
CREATE TABLE emp (id int PRIMARY KEY, dept_id int, pay int, boss int);
CREATE TABLE grade (grade int PRIMARY KEY, low int, high int);
CREATE INDEX ON emp (dept_id);
CREATE INDEX ON emp (boss);
CREATE INDEX ON dept (head);
INSERT INTO dept VALUES (1, 100, 10), (2, 50, NULL);
INSERT INTO emp VALUES (10, 1, 90, NULL), (11, 1, 60, 10), (20, 2, 40, 10);
INSERT INTO grade VALUES (1, 0, 50), (2, 50, 80), (3, 80, 120);
-- Comma.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT e.id, e.pay, d.cap FROM emp e, dept d WHERE e.dept_id = d.dept_id AND e.pay > d.cap));
-- refused
UPDATE emp SET pay = 51 WHERE id = 20;
-- refused
UPDATE dept SET cap = 80 WHERE dept_id = 1;
-- refused
UPDATE emp SET dept_id = 2 WHERE id = 11;
DROP ASSERTION a;
-- ANSI.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT e.id, e.pay, d.cap FROM emp e INNER JOIN dept d ON e.dept_id = d.dept_id WHERE e.pay > d.cap));
-- refused
INSERT INTO emp VALUES (21, 2, 51);
DROP ASSERTION a;
-- USING.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT id, dept_id FROM emp JOIN dept USING (dept_id) WHERE pay > cap));
-- refused
INSERT INTO emp VALUES (21, 2, 51);
DROP ASSERTION a;
-- NATURAL.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT id, dept_id FROM emp NATURAL JOIN dept WHERE pay > cap));
-- refused
UPDATE dept SET cap = 39 WHERE dept_id = 2;
DROP ASSERTION a;
-- LEFT JOIN: a department without anybody who is paid 40 or more.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT d.dept_id FROM dept d LEFT JOIN emp e ON e.dept_id = d.dept_id AND e.pay >= 40 WHERE e.id IS NULL));
-- refused
INSERT INTO dept VALUES (3, 10);
-- refused
DELETE FROM emp WHERE id = 20;
-- refused
UPDATE emp SET pay = 39 WHERE id = 20;
-- refused
UPDATE emp SET dept_id = NULL WHERE id = 20;
DELETE FROM emp WHERE id = 11;
INSERT INTO emp VALUES (11, 1, 60, 10);
DROP ASSERTION a;
-- RIGHT JOIN.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT d.dept_id FROM emp e RIGHT JOIN dept d ON e.dept_id = d.dept_id WHERE e.id IS NULL));
-- refused
DELETE FROM emp WHERE dept_id = 2;
DROP ASSERTION a;
-- FULL JOIN: as many rows here as there.
CREATE TABLE here (k int PRIMARY KEY, n int);
CREATE TABLE there (k int PRIMARY KEY, n int);
INSERT INTO here VALUES (1, 1), (2, 2);
INSERT INTO there VALUES (1, 1), (2, 2);
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT h.k AS here, t.k AS there FROM here h FULL JOIN there t ON t.k = h.k WHERE h.n IS DISTINCT FROM t.n)) DEFERRABLE INITIALLY DEFERRED;
-- refused
INSERT INTO here VALUES (3, 3);
-- refused
DELETE FROM there WHERE k = 1;
-- refused
UPDATE there SET n = 7 WHERE k = 1;
BEGIN;
INSERT INTO here VALUES (3, 3);
INSERT INTO there VALUES (3, 3);
COMMIT;
DROP ASSERTION a;
-- Self join.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT e.id, b.id AS boss FROM emp e JOIN emp b ON e.boss = b.id WHERE e.pay > b.pay));
-- refused
UPDATE emp SET pay = 91 WHERE id = 11;
-- refused
UPDATE emp SET pay = 59 WHERE id = 10;
-- refused
UPDATE emp SET boss = 20 WHERE id = 10;
UPDATE emp SET pay = pay + 5;
DROP ASSERTION a;
-- Non-equi: grades must not overlap, and everybody must be in one.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT a.grade, b.grade AS other FROM grade a JOIN grade b ON a.grade < b.grade AND a.low < b.high AND b.low < a.high));
-- refused
UPDATE grade SET high = 51 WHERE grade = 1;
-- refused
INSERT INTO grade VALUES (4, 110, 130);
INSERT INTO grade VALUES (4, 120, 130);
CREATE ASSERTION b CHECK (NOT EXISTS (SELECT e.id, e.pay FROM emp e WHERE NOT EXISTS (SELECT FROM grade g WHERE e.pay >= g.low AND e.pay < g.high)));
-- refused
UPDATE emp SET pay = 130 WHERE id = 10;
-- refused
DELETE FROM grade WHERE grade = 2;
-- refused
UPDATE grade SET low = 96 WHERE grade = 3;
DROP ASSERTION a, b;
-- Four tables, joined both ways.
CREATE TABLE town (town int PRIMARY KEY, tax int);
CREATE TABLE office (dept_id int REFERENCES dept, town int REFERENCES town, PRIMARY KEY (dept_id, town));
CREATE INDEX ON office (town);
INSERT INTO town VALUES (1, 5), (2, 9), (3, 16);
INSERT INTO office VALUES (1, 1), (2, 1), (2, 2);
CREATE ASSERTION a CHECK (NOT EXISTS (
  SELECT e.id, t.town FROM emp e JOIN dept d USING (dept_id) JOIN office o USING (dept_id), town t
  WHERE t.town = o.town AND e.pay + t.tax > d.cap + 10));
-- refused
UPDATE town SET tax = 16 WHERE town = 1;
-- refused
INSERT INTO office VALUES (1, 3);
-- refused
UPDATE dept SET cap = 43 WHERE dept_id = 2;
-- refused
UPDATE emp SET pay = pay + 7 WHERE id = 20;
