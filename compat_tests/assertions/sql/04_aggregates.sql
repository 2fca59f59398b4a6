-- Aggregates, GROUP BY and HAVING: the group of a changed row is looked at, no other.
-- Oracle 26ai: refused (ORA-08661).
-- Endb: each change evaluates the rule over everything.
-- PostgreSQL: no assertions.

CREATE TABLE team (id int PRIMARY KEY, cap int NOT NULL, budget int);
CREATE TABLE seat (id int PRIMARY KEY, team int REFERENCES team, cost int, kind text);
CREATE INDEX ON seat (team);
INSERT INTO team VALUES (1, 2, 100), (2, 3, 100);
INSERT INTO seat VALUES (1, 1, 50, 'a'), (2, 1, 50, 'b'), (3, 2, 10, 'a');
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING count(*) > 2));
-- refused
INSERT INTO seat VALUES (4, 1, 0);
-- refused
UPDATE seat SET team = 1 WHERE id = 3;
DROP ASSERTION a;
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING count(cost) < 1));
-- refused
UPDATE seat SET cost = NULL WHERE id = 3;
INSERT INTO team VALUES (3, 1, 1);
-- refused
INSERT INTO seat VALUES (4, 3, NULL);
DELETE FROM team WHERE id = 3;
DELETE FROM seat WHERE id = 3;
INSERT INTO seat VALUES (3, 2, 10, 'a');
DROP ASSERTION a;
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING sum(cost) > 100));
-- refused
UPDATE seat SET cost = cost + 1 WHERE id = 1;
-- refused
INSERT INTO seat VALUES (4, 1, 2), (5, 1, -1);
INSERT INTO seat VALUES (4, 1, 2), (5, 1, -2);
-- refused
DELETE FROM seat WHERE id = 5;
UPDATE seat SET cost = CASE id WHEN 4 THEN 3 ELSE -3 END WHERE id > 3;
DELETE FROM seat WHERE id > 3;
DROP ASSERTION a;
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING avg(cost) > 50));
-- refused
UPDATE seat SET cost = 51 WHERE id = 1;
-- refused
INSERT INTO seat VALUES (4, 1, 53);
INSERT INTO seat VALUES (4, 1, NULL);
-- refused
INSERT INTO seat VALUES (5, 2, 91);
DELETE FROM seat WHERE id = 4;
DROP ASSERTION a;
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING max(cost) - min(cost) > 20));
-- refused
INSERT INTO seat VALUES (4, 1, 29);
-- refused
UPDATE seat SET cost = 71 WHERE id = 2;
INSERT INTO seat VALUES (4, 1, 60), (5, 1, 40);
-- refused
UPDATE seat SET cost = 61 WHERE id = 4;
DELETE FROM seat WHERE id > 3;
DROP ASSERTION a;
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING count(DISTINCT kind) > 2));
INSERT INTO seat VALUES (4, 1, 0, 'b'), (5, 1, 0, NULL);
-- refused
UPDATE seat SET kind = 'c' WHERE id = 5;
-- refused
INSERT INTO seat VALUES (6, 1, 0, 'c');
DELETE FROM seat WHERE id > 3;
DROP ASSERTION a;
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING sum(cost) FILTER (WHERE kind = 'a') > 50 OR bool_and(kind = 'b')));
-- refused
UPDATE seat SET kind = 'a';
-- refused
UPDATE seat SET kind = 'b';
DROP ASSERTION a;
-- A bound in another row, by a correlated aggregate, a join, and HAVING.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT t.id, t.budget FROM team t WHERE (SELECT sum(cost) FROM seat s WHERE s.team = t.id) > t.budget));
-- refused
UPDATE team SET budget = 99 WHERE id = 1;
-- refused
UPDATE seat SET team = 1 WHERE id = 3;
CREATE ASSERTION b CHECK (NOT EXISTS (SELECT t.id, t.cap FROM team t JOIN seat s ON s.team = t.id GROUP BY t.id, t.cap HAVING count(*) > t.cap));
-- refused
UPDATE team SET cap = 1 WHERE id = 1;
-- refused
INSERT INTO seat VALUES (4, 1, -9);
CREATE ASSERTION c CHECK (NOT EXISTS (SELECT t.id FROM team t LEFT JOIN seat s ON s.team = t.id GROUP BY t.id HAVING count(s.id) = 0));
-- refused
INSERT INTO team VALUES (3, 1, 1);
-- refused
DELETE FROM seat WHERE id = 3;
DROP ASSERTION a, b, c;
-- A group of groups: not more than one team may be full.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT n FROM (SELECT team, count(*) AS n FROM seat GROUP BY team) g WHERE n >= 2 GROUP BY n HAVING count(*) > 1));
-- refused
INSERT INTO seat VALUES (4, 2, 0);
DROP ASSERTION a;
-- Windows and DISTINCT ON.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT id, r FROM (SELECT id, cost, sum(cost) OVER (PARTITION BY team ORDER BY id) AS r FROM seat) w WHERE r > 100));
-- refused
UPDATE seat SET cost = 51 WHERE id = 1;
CREATE ASSERTION b CHECK (NOT EXISTS (SELECT team, kind FROM (SELECT DISTINCT ON (team) team, kind FROM seat ORDER BY team, id DESC) last WHERE kind = 'x'));
-- refused
UPDATE seat SET kind = 'x' WHERE id = 2;
UPDATE seat SET kind = 'x' WHERE id = 1;
-- refused
DELETE FROM seat WHERE id = 2;
DROP ASSERTION a, b;
-- Aggregates of everything.
CREATE ASSERTION a CHECK ((SELECT sum(cost) FROM seat) <= (SELECT sum(budget) FROM team) / 2 + 10);
-- refused
UPDATE team SET budget = budget - 1 WHERE id = 2;
-- refused
INSERT INTO seat VALUES (4, 2, 1);
UPDATE team SET budget = budget + 10 WHERE id = 2;
INSERT INTO seat VALUES (4, 2, 5);
