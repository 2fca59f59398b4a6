-- Seeing what a rule does: EXPLAIN ASSERTION, the advice of CREATE ASSERTION, violations(), and EXPLAIN of a statement.
-- Oracle 26ai: what a check does cannot be shown.
-- Endb: no.
-- PostgreSQL: no assertions; EXPLAIN ANALYZE tells the time of triggers.

CREATE TABLE dept (id int PRIMARY KEY, head int);
CREATE TABLE emp (id int PRIMARY KEY, dept int, pay int, name text);
INSERT INTO dept VALUES (1, 1), (2, NULL);
INSERT INTO emp VALUES (1, 1, 5, 'ann');
-- A probe that would scan is told, with the index to make.
CREATE ASSERTION staffed CHECK (NOT EXISTS (SELECT d.id FROM dept d WHERE d.head IS NOT NULL AND NOT EXISTS (SELECT FROM emp e WHERE e.dept = d.id AND e.pay > 0)));
EXPLAIN (COSTS OFF) ASSERTION staffed;
CREATE INDEX ON public.emp (dept);
EXPLAIN (COSTS OFF) ASSERTION staffed;
-- One kind of statement, and one column.
-- never
EXPLAIN ASSERTION staffed FOR INSERT ON emp;
-- never
EXPLAIN ASSERTION staffed FOR UPDATE OF name ON emp;
-- never
EXPLAIN ASSERTION staffed FOR DELETE ON dept;
-- checked
EXPLAIN (COSTS OFF) ASSERTION staffed FOR UPDATE OF pay ON emp;
-- refused
EXPLAIN ASSERTION staffed FOR UPDATE OF nothing ON emp;
-- refused
EXPLAIN ASSERTION nothing;
-- What violates it now, all of it.
ALTER ASSERTION staffed DISABLE;
INSERT INTO dept VALUES (3, 1), (4, 1), (5, NULL);
SELECT violations('staffed') AS v ORDER BY v;
BEGIN;
DELETE FROM dept WHERE id = 3;
SELECT violations('staffed') AS v ORDER BY v;
ROLLBACK;
