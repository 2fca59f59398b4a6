-- DEFERRABLE and SET CONSTRAINTS: the rule is checked on what the transaction amounts to, whatever was undone in between.
-- Oracle 26ai: DEFERRABLE and SET CONSTRAINTS, yes.
-- Endb: always deferred, to the end of the transaction.
-- PostgreSQL: no assertions; its deferrable constraints behave so.

CREATE TABLE line (id int PRIMARY KEY, transfer int NOT NULL, amount int NOT NULL);
CREATE TABLE transfer (id int PRIMARY KEY, state text);
CREATE INDEX ON line (transfer);
CREATE ASSERTION balanced CHECK (NOT EXISTS (SELECT transfer FROM line GROUP BY transfer HAVING sum(amount) <> 0)) DEFERRABLE INITIALLY DEFERRED;
CREATE ASSERTION known CHECK (NOT EXISTS (SELECT l.id, l.transfer FROM line l WHERE NOT EXISTS (SELECT FROM transfer t WHERE t.id = l.transfer))) DEFERRABLE;
CREATE ASSERTION small CHECK (NOT EXISTS (SELECT id, amount FROM line WHERE amount > 100));
INSERT INTO transfer VALUES (1, 'new'), (2, 'new');
-- Alone, a statement is a transaction.
-- refused
INSERT INTO line VALUES (1, 1, 5);
BEGIN;
INSERT INTO line VALUES (1, 1, 5);
INSERT INTO line VALUES (2, 1, -5);
COMMIT;
-- Violated at the end.
BEGIN;
INSERT INTO line VALUES (3, 2, 5);
-- refused
COMMIT;
-- The net change: what came and went is not looked at, what changed twice is looked at as it is last.
BEGIN;
INSERT INTO line VALUES (3, 2, 5);
UPDATE line SET amount = 7 WHERE id = 3;
DELETE FROM line WHERE id = 3;
UPDATE line SET amount = amount * 3;
UPDATE line SET amount = amount / 3;
COMMIT;
-- Savepoints: what is rolled back does not count, what is released does.
BEGIN;
SAVEPOINT a;
INSERT INTO line VALUES (3, 2, 5);
ROLLBACK TO a;
COMMIT;
BEGIN;
INSERT INTO line VALUES (3, 2, 5);
SAVEPOINT a;
INSERT INTO line VALUES (4, 2, -5);
ROLLBACK TO a;
-- refused
COMMIT;
BEGIN;
INSERT INTO line VALUES (3, 2, 5);
SAVEPOINT a;
INSERT INTO line VALUES (4, 2, -5);
SAVEPOINT b;
DELETE FROM line WHERE id = 3;
ROLLBACK TO b;
RELEASE a;
COMMIT;
BEGIN;
SAVEPOINT a;
UPDATE line SET amount = 6 WHERE id = 3;
SAVEPOINT b;
UPDATE line SET amount = -6 WHERE id = 4;
RELEASE b;
ROLLBACK TO a;
UPDATE line SET amount = 8 WHERE id = 3;
-- refused
COMMIT;
-- Not deferrable: at the statement, in the middle of a transaction; a savepoint saves the rest.
BEGIN;
INSERT INTO line VALUES (5, 1, 1);
SAVEPOINT a;
-- refused
INSERT INTO line VALUES (6, 1, 101);
ROLLBACK TO a;
INSERT INTO line VALUES (6, 1, -1);
COMMIT;
-- DEFERRABLE, but immediate unless it is deferred.
-- refused
INSERT INTO line VALUES (7, 3, 0);
BEGIN;
SET CONSTRAINTS known DEFERRED;
INSERT INTO line VALUES (7, 3, 0);
INSERT INTO transfer VALUES (3, 'new');
COMMIT;
-- IMMEDIATE checks what is due, then and there, and fails without having changed anything.
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO line VALUES (8, 4, 1);
SAVEPOINT a;
-- refused
SET CONSTRAINTS known IMMEDIATE;
ROLLBACK TO a;
-- refused
SET CONSTRAINTS balanced IMMEDIATE;
ROLLBACK TO a;
INSERT INTO transfer VALUES (4, 'new');
SET CONSTRAINTS known IMMEDIATE;
-- refused
INSERT INTO line VALUES (9, 5, -1);
ROLLBACK TO a;
INSERT INTO line VALUES (9, 4, -1);
INSERT INTO transfer VALUES (4, 'new');
SET CONSTRAINTS ALL IMMEDIATE;
COMMIT;
-- SET CONSTRAINTS itself is undone by ROLLBACK TO.
BEGIN;
SAVEPOINT a;
SET CONSTRAINTS known DEFERRED;
INSERT INTO line VALUES (10, 6, 0);
ROLLBACK TO a;
-- refused
INSERT INTO line VALUES (10, 6, 0);
ROLLBACK;
-- By schema-qualified name, and names that are none or not deferrable.
BEGIN;
SET CONSTRAINTS public.balanced, public.known DEFERRED;
COMMIT;
BEGIN;
-- refused
SET CONSTRAINTS small DEFERRED;
ROLLBACK;
BEGIN;
-- refused
SET CONSTRAINTS nothing DEFERRED;
ROLLBACK;
-- The way it is checked can be changed.
ALTER ASSERTION balanced DEFERRABLE INITIALLY IMMEDIATE;
BEGIN;
-- refused
INSERT INTO line VALUES (11, 1, 1);
ROLLBACK;
ALTER ASSERTION balanced NOT DEFERRABLE;
BEGIN;
-- refused
SET CONSTRAINTS balanced DEFERRED;
ROLLBACK;
SELECT transfer, sum(amount), count(*) FROM line GROUP BY transfer ORDER BY transfer;
