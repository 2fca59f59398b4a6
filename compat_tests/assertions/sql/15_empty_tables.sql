-- The three traps of empty tables: a rule speaks of them too, the sum of nothing is unknown, and a group without rows is none.
-- Oracle 26ai: has no aggregates in assertions; NOT EXISTS over an empty table holds, EXISTS over one is violated.
-- Endb: an assertion is a query, evaluated over what there is.
-- PostgreSQL: no assertions.

CREATE TABLE t (id int PRIMARY KEY, g int, x int);
CREATE INDEX ON t (g);
-- One: the rule speaks of the empty table, so it cannot be created over one.
-- refused
CREATE ASSERTION somebody CHECK ((SELECT count(*) FROM t) > 0);
-- refused
CREATE ASSERTION somebody CHECK (EXISTS (SELECT FROM t));
-- refused
CREATE ASSERTION somebody CHECK (5 IN (SELECT x FROM t));
INSERT INTO t VALUES (1, 1, 5);
CREATE ASSERTION somebody CHECK ((SELECT count(*) FROM t) > 0);
-- refused
DELETE FROM t;
-- refused
TRUNCATE t;
DROP ASSERTION somebody;
-- What holds over nothing.
CREATE ASSERTION none CHECK (NOT EXISTS (SELECT FROM t WHERE x > 5) AND 5 >= ALL (SELECT x FROM t) AND 7 NOT IN (SELECT x FROM t));
TRUNCATE t;
DROP ASSERTION none;
-- Two: the sum, the greatest and the average of nothing are NULL, which satisfies; a count is 0.
CREATE ASSERTION summed CHECK ((SELECT sum(x) FROM t) > 3);
CREATE ASSERTION greatest CHECK ((SELECT max(x) FROM t) > 3);
CREATE ASSERTION average CHECK ((SELECT avg(x) FROM t) > 3);
-- refused
INSERT INTO t VALUES (1, 1, 3);
INSERT INTO t VALUES (1, 1, NULL);
-- refused
UPDATE t SET x = 3;
UPDATE t SET x = 4;
DELETE FROM t;
DROP ASSERTION summed, greatest, average;
-- refused
CREATE ASSERTION summed CHECK (coalesce((SELECT sum(x) FROM t), 0) > 3);
-- Three: GROUP BY never sees an empty group. This rule does not say that there is a group, and no deletion violates it.
CREATE ASSERTION grouped CHECK (NOT EXISTS (SELECT g FROM t GROUP BY g HAVING count(*) < 1));
INSERT INTO t VALUES (1, 1, 5);
DELETE FROM t;
-- Without GROUP BY there is exactly one group, of nothing as well.
-- refused
CREATE ASSERTION whole CHECK (NOT EXISTS (SELECT count(*) FROM t HAVING count(*) < 1));
-- But a group that is new, or gets smaller, can be too small.
CREATE ASSERTION pairs CHECK (NOT EXISTS (SELECT g FROM t GROUP BY g HAVING count(*) < 2));
-- refused
INSERT INTO t VALUES (1, 1, 5);
INSERT INTO t VALUES (1, 1, 5), (2, 1, 5);
-- refused
DELETE FROM t WHERE id = 1;
-- refused
UPDATE t SET g = 2 WHERE id = 1;
DELETE FROM t;
-- Whoever means that each group has rows starts from the table that lists the groups.
CREATE TABLE gs (g int PRIMARY KEY);
CREATE ASSERTION each CHECK (NOT EXISTS (SELECT gs.g FROM gs LEFT JOIN t ON t.g = gs.g GROUP BY gs.g HAVING count(t.id) < 1)) DEFERRABLE INITIALLY DEFERRED;
-- refused
INSERT INTO gs VALUES (1);
BEGIN;
INSERT INTO gs VALUES (1);
INSERT INTO t VALUES (1, 1, 0), (2, 1, 0);
COMMIT;
-- refused
DELETE FROM t;
