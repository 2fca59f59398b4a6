-- NULLs in the columns by which rows are joined, correlated and grouped.
-- Oracle 26ai: refuses rules whose join columns may be NULL.
-- Endb: may be NULL; the rule is evaluated as a query is.
-- PostgreSQL: no assertions.

CREATE TABLE p (id int, a int);
CREATE TABLE c (id int PRIMARY KEY, p int, q int);
CREATE INDEX ON p (id);
CREATE INDEX ON c (p);
INSERT INTO p VALUES (1, 1), (NULL, 1);
INSERT INTO c VALUES (1, 1, 1), (2, NULL, 9);
-- NULL is equal to nothing: the row with q = 9 meets no p.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT c.id, p.a FROM c JOIN p ON p.id = c.p WHERE c.q > p.a));
INSERT INTO c VALUES (3, NULL, 10);
-- refused
UPDATE c SET p = 1 WHERE id = 2;
-- refused
UPDATE p SET id = 1, a = 0 WHERE id IS NULL;
DROP ASSERTION a;
-- Who has nobody: NULL has nobody either.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT c.id FROM c WHERE c.q < 5 AND NOT EXISTS (SELECT FROM p WHERE p.id = c.p)));
-- refused
UPDATE c SET p = NULL WHERE id = 1;
-- refused
UPDATE p SET id = NULL WHERE id = 1;
-- refused
INSERT INTO c VALUES (4, NULL, 4);
DROP ASSERTION a;
-- NULL NOT IN (..) is unknown, and so is x NOT IN (.., NULL): neither violates.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT c.id FROM c WHERE c.p NOT IN (SELECT id FROM p)));
INSERT INTO c VALUES (5, 77, 0);
-- refused
DELETE FROM p WHERE id IS NULL;
DELETE FROM c WHERE id = 5;
DELETE FROM p WHERE id IS NULL;
-- refused
INSERT INTO c VALUES (5, 77, 0);
-- Over nothing, NOT IN is true for NULL as well.
-- refused
DELETE FROM p;
DROP ASSERTION a;
-- IS NOT DISTINCT FROM joins NULLs.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT c.id, p.a FROM c JOIN p ON p.id IS NOT DISTINCT FROM c.p WHERE c.q > p.a + 20));
INSERT INTO p VALUES (NULL, 1);
-- refused
UPDATE p SET a = -20 WHERE id IS NULL;
-- refused
INSERT INTO c VALUES (6, NULL, 22);
DROP ASSERTION a;
-- All NULLs are one group.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT p, count(*) FROM c GROUP BY p HAVING count(*) > 2));
INSERT INTO c VALUES (6, 1, 0);
-- refused
INSERT INTO c VALUES (7, NULL, 0);
-- refused
UPDATE c SET p = NULL WHERE id = 6;
DROP ASSERTION a;
-- Outer joins make NULLs of their own.
CREATE ASSERTION a CHECK (NOT EXISTS (SELECT c.id FROM c LEFT JOIN p ON p.id = c.p WHERE coalesce(p.a, 30) < c.q));
-- refused
UPDATE c SET q = 31 WHERE id = 3;
-- refused
UPDATE c SET p = 1, q = 2 WHERE id = 3;
-- A condition that is unknown holds.
CREATE ASSERTION b CHECK ((SELECT sum(q) FROM c WHERE p = 99) > 5);
CREATE ASSERTION d CHECK (NULL::bool);
INSERT INTO c VALUES (9, 99, NULL);
-- refused
UPDATE c SET q = 5 WHERE id = 9;
