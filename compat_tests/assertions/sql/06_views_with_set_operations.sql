-- Views, WITH, UNION, EXCEPT and INTERSECT.
-- Oracle 26ai: base tables only; no WITH, no set operations.
-- Endb: yes, all of them.
-- PostgreSQL: no assertions.

CREATE TABLE account (id int PRIMARY KEY, owner int NOT NULL, amount int NOT NULL, closed bool NOT NULL DEFAULT false);
CREATE TABLE person (id int PRIMARY KEY, name text UNIQUE, credit int NOT NULL);
CREATE TABLE guest (id int PRIMARY KEY, name text UNIQUE);
CREATE INDEX ON account (owner);
INSERT INTO person VALUES (1, 'ann', 10), (2, 'bob', 0);
INSERT INTO guest VALUES (1, 'eve');
INSERT INTO account VALUES (1, 1, 5), (2, 1, -5), (3, 2, 1);
-- A view, and a view over it.
CREATE VIEW open_account AS SELECT * FROM account WHERE NOT closed;
CREATE VIEW worth AS SELECT p.id, p.name, p.credit, (SELECT coalesce(sum(amount), 0) FROM open_account a WHERE a.owner = p.id) AS worth FROM person p;
CREATE ASSERTION solvent CHECK (NOT EXISTS (SELECT id, name, worth FROM worth WHERE worth < -credit));
-- refused
UPDATE account SET amount = -16 WHERE id = 2;
-- refused
UPDATE account SET amount = -1 WHERE id = 3;
UPDATE account SET amount = -15 WHERE id = 2;
-- refused
UPDATE account SET closed = true WHERE id = 1;
-- refused
UPDATE person SET credit = 9 WHERE id = 1;
-- refused
DROP VIEW worth;
-- refused
CREATE OR REPLACE VIEW open_account AS SELECT id, owner, amount FROM account;
DROP ASSERTION solvent;
-- A view that joins, and that can be written.
CREATE VIEW holding AS SELECT a.id, a.amount, a.owner, p.name FROM account a JOIN person p ON p.id = a.owner;
CREATE ASSERTION held CHECK (NOT EXISTS (SELECT id, name FROM holding WHERE name = 'bob' AND amount > 10));
-- refused
UPDATE holding SET amount = 11 WHERE id = 3;
-- refused
UPDATE account SET owner = 2, amount = 50 WHERE id = 1;
DROP ASSERTION held;
-- WITH, used twice.
CREATE ASSERTION order_kept CHECK (NOT EXISTS (
  WITH total AS (SELECT owner, sum(abs(amount)) AS n FROM account GROUP BY owner)
  SELECT a.owner, b.owner AS other, a.n FROM total a JOIN total b ON a.owner < b.owner AND a.n < b.n));
-- refused
UPDATE account SET amount = 21 WHERE id = 3;
DROP ASSERTION order_kept;
-- UNION: a name is of a person or of a guest, once.
CREATE ASSERTION names CHECK (NOT EXISTS (
  SELECT name FROM (SELECT name FROM person UNION ALL SELECT name FROM guest) x GROUP BY name HAVING count(*) > 1));
-- refused
INSERT INTO guest VALUES (2, 'ann');
-- refused
UPDATE person SET name = 'eve' WHERE id = 2;
DROP ASSERTION names;
-- INTERSECT: the same, said otherwise.
CREATE ASSERTION names CHECK (NOT EXISTS (SELECT name FROM person INTERSECT SELECT name FROM guest));
-- refused
INSERT INTO guest VALUES (2, 'ann');
DROP ASSERTION names;
-- EXCEPT: a reference, without a key.
CREATE ASSERTION owners CHECK (NOT EXISTS (SELECT owner FROM account EXCEPT SELECT id FROM person));
-- refused
INSERT INTO account VALUES (4, 3, 0);
-- refused
DELETE FROM person WHERE id = 2;
BEGIN;
DELETE FROM account WHERE owner = 2;
DELETE FROM person WHERE id = 2;
COMMIT;
DROP ASSERTION owners;
-- UNION of two violation queries.
CREATE ASSERTION either CHECK (NOT EXISTS (SELECT id, 'account' AS of FROM account WHERE amount > 100 UNION SELECT id, 'person' FROM person WHERE credit > 100));
-- refused
UPDATE account SET amount = 101 WHERE id = 2;
-- refused
UPDATE person SET credit = 101;
-- EXCEPT ALL counts.
CREATE TABLE sent (k int);
CREATE TABLE received (k int);
CREATE INDEX ON sent (k);
CREATE INDEX ON received (k);
CREATE ASSERTION delivered CHECK (NOT EXISTS (SELECT k FROM received EXCEPT ALL SELECT k FROM sent));
-- refused
INSERT INTO received VALUES (1);
INSERT INTO sent VALUES (1), (1);
INSERT INTO received VALUES (1), (1);
-- refused
INSERT INTO received VALUES (1);
-- refused
UPDATE sent SET k = 2;
-- A recursive rule is evaluated in full, and says so.
CREATE TABLE node (id int PRIMARY KEY, parent int);
CREATE ASSERTION tree CHECK (NOT EXISTS (
  WITH RECURSIVE up AS (SELECT id, parent FROM node UNION SELECT up.id, n.parent FROM up JOIN node n ON n.id = up.parent) SELECT id FROM up WHERE id = parent));
INSERT INTO node VALUES (1, NULL), (2, 1), (3, 2);
-- refused
UPDATE node SET parent = 3 WHERE id = 1;
