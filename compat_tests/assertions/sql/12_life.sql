-- The life of a rule: NOT ENFORCED, NOT VALID, VALIDATE, DISABLE and ENABLE; what becomes of names, owners and dependents.
-- Oracle 26ai: in part: ENABLE, DISABLE, NOVALIDATE.
-- Endb: a rule is there or is not.
-- PostgreSQL: no assertions; NOT VALID for CHECK and foreign keys.

CREATE TABLE team (id int PRIMARY KEY, cap int);
CREATE TABLE seat (id int PRIMARY KEY, team int, note text);
CREATE INDEX ON seat (team);
INSERT INTO team VALUES (1, 1), (2, 2);
INSERT INTO seat VALUES (1, 1), (2, 1), (3, 2);
-- What is there violates it: no rule is made.
-- refused
CREATE ASSERTION capped CHECK (NOT EXISTS (SELECT t.id, t.cap FROM team t WHERE (SELECT count(*) FROM seat s WHERE s.team = t.id) > t.cap));
-- Tried out: it is told of and not refused.
CREATE ASSERTION capped CHECK (NOT EXISTS (SELECT t.id, t.cap FROM team t WHERE (SELECT count(*) FROM seat s WHERE s.team = t.id) > t.cap)) NOT ENFORCED;
INSERT INTO seat VALUES (4, 2), (5, 2);
SELECT violations('capped') AS v ORDER BY v;
-- refused
ALTER ASSERTION capped ENFORCED;
DELETE FROM seat WHERE id = 5;
DROP ASSERTION capped;
-- Enforced for what changes, and not for what is there.
CREATE ASSERTION capped CHECK (NOT EXISTS (SELECT t.id, t.cap FROM team t WHERE (SELECT count(*) FROM seat s WHERE s.team = t.id) > t.cap)) NOT VALID;
SELECT violations('capped') AS v;
UPDATE seat SET note = 'x';
UPDATE team SET cap = cap;
-- refused
INSERT INTO seat VALUES (5, 2);
-- refused
UPDATE team SET cap = 1 WHERE id = 2;
-- refused
ALTER ASSERTION capped VALIDATE;
DELETE FROM seat WHERE id = 2;
ALTER ASSERTION capped VALIDATE;
SELECT violations('capped') AS v;
SELECT assertionname, validated, enforced, enabled FROM holdfast_assertions;
-- refused
INSERT INTO seat VALUES (2, 1);
-- Taken away for a while. ENABLE looks at everything.
ALTER ASSERTION capped DISABLE;
INSERT INTO seat VALUES (2, 1);
-- refused
ALTER ASSERTION capped ENABLE;
DELETE FROM seat WHERE id = 2;
ALTER ASSERTION capped ENABLE;
-- refused
INSERT INTO seat VALUES (2, 1);
-- The change of a rule is part of a transaction.
BEGIN;
ALTER ASSERTION capped DISABLE;
INSERT INTO seat VALUES (2, 1);
DELETE FROM seat WHERE id = 1;
ALTER ASSERTION capped ENABLE;
COMMIT;
BEGIN;
DROP ASSERTION capped;
INSERT INTO seat VALUES (1, 1);
ROLLBACK;
-- refused
INSERT INTO seat VALUES (1, 1);
-- Names.
-- refused
CREATE ASSERTION capped CHECK (true);
CREATE ASSERTION IF NOT EXISTS capped CHECK (true);
CREATE SCHEMA rules;
ALTER ASSERTION capped RENAME TO cap_kept;
ALTER ASSERTION cap_kept SET SCHEMA rules;
COMMENT ON ASSERTION rules.cap_kept IS 'no more seats than paid for';
-- refused
INSERT INTO seat VALUES (1, 1);
-- refused
ALTER ASSERTION capped DISABLE;
ALTER ASSERTION IF EXISTS capped DISABLE;
-- What it reads cannot be dropped under it, nor change its type.
-- refused
DROP TABLE seat;
-- refused
ALTER TABLE team DROP COLUMN cap;
-- refused
ALTER TABLE team ALTER COLUMN cap TYPE text;
ALTER TABLE seat DROP COLUMN note;
-- refused
ALTER TABLE team RENAME COLUMN cap TO most;
-- refused
ALTER TABLE seat RENAME TO place;
-- refused
INSERT INTO seat VALUES (1, 1);
SELECT pg_get_assertiondef('rules.cap_kept');
DROP TABLE seat CASCADE;
-- refused
DROP ASSERTION rules.cap_kept;
DROP ASSERTION IF EXISTS rules.cap_kept;
