-- Where rules are listed, and their DDL.
-- Oracle 26ai: views of its own; its DDL export leaves assertions out.
-- Endb: none.
-- PostgreSQL: information_schema has no assertions; pg_get_constraintdef for its constraints.

CREATE SCHEMA shop;
CREATE TABLE shop.item (id int PRIMARY KEY, price int, name text);
CREATE TABLE shop.sale (id int PRIMARY KEY, item int, n int);
CREATE VIEW shop.sold AS SELECT s.item, s.n, i.price FROM shop.sale s JOIN shop.item i ON i.id = s.item;
CREATE INDEX ON shop.sale (item);
CREATE ASSERTION shop.dear CHECK (NOT EXISTS (SELECT item, n * price AS total FROM shop.sold WHERE n * price > 1000)) DEFERRABLE INITIALLY DEFERRED;
CREATE ASSERTION "Few" CHECK ((SELECT count(*) FROM shop.item WHERE price > 0) < 5) NOT VALID;
CREATE ASSERTION tried CHECK (ALL (SELECT id, price FROM shop.item) i SATISFY (i.price >= 0)) NOT ENFORCED;
ALTER ASSERTION "Few" DISABLE;
COMMENT ON ASSERTION shop.dear IS 'ask first';
SELECT constraint_schema, constraint_name, is_deferrable, initially_deferred FROM information_schema.assertions ORDER BY 2;
SELECT constraint_name, check_clause FROM information_schema.check_constraints WHERE constraint_name IN ('dear', 'Few', 'tried') ORDER BY 1;
SELECT table_schema, table_name, constraint_name FROM information_schema.constraint_table_usage WHERE constraint_name IN ('dear', 'Few') ORDER BY 3, 2;
SELECT table_name, column_name, constraint_name FROM information_schema.constraint_column_usage WHERE constraint_name IN ('dear', 'Few') ORDER BY 3, 1, 2;
SELECT schemaname, assertionname, assertionowner, is_deferrable, initially_deferred, validated, enforced, enabled, comment FROM holdfast_assertions ORDER BY 2;
SELECT definition FROM holdfast_assertions ORDER BY assertionname;
SELECT conname, contype, conrelid, condeferrable, condeferred, convalidated FROM pg_constraint WHERE conrelid = 0 AND contypid = 0 ORDER BY 1;
SELECT pg_get_assertiondef('shop.dear');
SELECT pg_get_assertiondef('"Few"', true);
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'tried';
SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conname = 'dear';
-- What is written down makes the same rule again.
SELECT pg_get_assertiondef('shop.dear') AS again \gset
DROP ASSERTION shop.dear;
:again;
SELECT pg_get_assertiondef('shop.dear') = :'again' AS same;
INSERT INTO shop.item VALUES (1, 600, 'x');
-- refused
INSERT INTO shop.sale VALUES (1, 1, 2);
-- By the search path.
SET search_path = shop, public;
SELECT pg_get_assertiondef('dear');
