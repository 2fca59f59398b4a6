-- The condition: any boolean expression, with any number of conjuncts.
-- Oracle 26ai: [NOT] EXISTS (..) or ALL (..) SATISFY (..) at the root, and nothing else.
-- Endb: any SQL.
-- PostgreSQL: the grammar knows it, and answers "CREATE ASSERTION is not yet implemented".

CREATE TABLE item (id int PRIMARY KEY, kind text, price int, stock int);
CREATE TABLE state (id int PRIMARY KEY CHECK (id = 1), open bool NOT NULL, low int NOT NULL);
INSERT INTO state VALUES (1, true, 2);
INSERT INTO item VALUES (1, 'a', 10, 5), (2, 'b', 20, 5);
CREATE ASSERTION nothing_negative CHECK (NOT EXISTS (SELECT id, stock FROM item WHERE stock < 0));
-- refused
UPDATE item SET stock = stock - 6 WHERE id = 1;
CREATE ASSERTION has_kind_a CHECK (EXISTS (SELECT FROM item WHERE kind = 'a'));
-- refused
DELETE FROM item WHERE kind = 'a';
CREATE ASSERTION universal CHECK (ALL (SELECT id, price, stock FROM item) i SATISFY (i.price * i.stock <= 200));
-- refused
UPDATE item SET price = 41 WHERE id = 2;
DROP ASSERTION nothing_negative, has_kind_a, universal;
-- Comparisons of scalar queries: with constants, with each other, with a row of another table.
CREATE ASSERTION few CHECK ((SELECT count(*) FROM item) <= 3);
CREATE ASSERTION worth CHECK ((SELECT sum(price) FROM item) >= (SELECT count(*) FROM item) * 10);
CREATE ASSERTION lowest CHECK ((SELECT min(stock) FROM item) >= (SELECT low FROM state));
-- refused
INSERT INTO item VALUES (3, 'c', 1, 5), (4, 'c', 100, 5);
-- refused
UPDATE item SET price = 1;
-- refused
UPDATE state SET low = 6;
-- refused
UPDATE item SET stock = 1 WHERE id = 2;
DROP ASSERTION few, worth, lowest;
-- IN, NOT IN, ANY and ALL.
CREATE ASSERTION kinds CHECK ('a' IN (SELECT kind FROM item) AND 'z' NOT IN (SELECT kind FROM item WHERE kind IS NOT NULL)
  AND 100 >= ALL (SELECT price FROM item) AND 15 < ANY (SELECT price FROM item));
-- refused
UPDATE item SET kind = 'c' WHERE id = 1;
-- refused
UPDATE item SET kind = 'z' WHERE id = 2;
-- refused
UPDATE item SET price = 101 WHERE id = 1;
-- refused
UPDATE item SET price = 15 WHERE id = 2;
UPDATE item SET kind = NULL WHERE id = 2;
DROP ASSERTION kinds;
-- Many conjuncts: which of them is false is seen in the row.
CREATE ASSERTION many CHECK (
  NOT EXISTS (SELECT id, 'price' AS what FROM item WHERE price < 0) AND
  NOT EXISTS (SELECT id, 'stock' AS what FROM item WHERE stock < 0) AND
  NOT EXISTS (SELECT id, 'price of b' AS what FROM item WHERE kind = 'b' AND price > 50) AND
  NOT EXISTS (SELECT kind FROM item GROUP BY kind HAVING count(*) > 2) AND
  EXISTS (SELECT FROM state) AND
  (SELECT count(*) FROM item) < 10 AND
  (SELECT sum(stock) FROM item) < 100);
-- refused
UPDATE item SET price = -1 WHERE id = 1;
-- refused
UPDATE item SET stock = -1 WHERE id = 1;
-- refused
INSERT INTO item VALUES (3, 'b', 51, 0);
-- refused
INSERT INTO item VALUES (3, 'a', 1, 0), (4, 'a', 1, 0);
-- refused
DELETE FROM state;
-- refused
INSERT INTO item SELECT n, n::text, 1, 0 FROM generate_series(3, 10) n;
-- refused
UPDATE item SET stock = 50;
DROP ASSERTION many;
-- OR, NOT, CASE, IS [NOT] TRUE, and comparisons of truth values.
CREATE ASSERTION closed_is_empty CHECK ((SELECT open FROM state) OR NOT EXISTS (SELECT id FROM item WHERE stock > 0));
-- refused
UPDATE state SET open = false;
UPDATE item SET stock = 0;
UPDATE state SET open = false;
-- refused
UPDATE item SET stock = 1 WHERE id = 2;
DROP ASSERTION closed_is_empty;
CREATE ASSERTION both_or_none CHECK (((SELECT count(*) FROM item WHERE kind = 'x') > 0) = ((SELECT count(*) FROM item WHERE kind = 'y') > 0));
-- refused
UPDATE item SET kind = 'x' WHERE id = 1;
UPDATE item SET kind = CASE id WHEN 1 THEN 'x' ELSE 'y' END;
-- refused
DELETE FROM item WHERE id = 2;
DROP ASSERTION both_or_none;
CREATE ASSERTION known CHECK (((SELECT max(price) FROM item) < 50) IS TRUE);
-- refused
DELETE FROM item;
CREATE ASSERTION by_case CHECK (CASE WHEN (SELECT open FROM state) THEN EXISTS (SELECT FROM item) ELSE true END);
DROP ASSERTION known;
DELETE FROM item;
-- refused
UPDATE state SET open = true;
-- What cannot be a rule.
-- refused
CREATE ASSERTION number CHECK ((SELECT count(*) FROM item));
-- refused
CREATE ASSERTION unknown CHECK (NOT EXISTS (SELECT FROM item WHERE colour = 'red'));
-- refused
CREATE ASSERTION dice CHECK (NOT EXISTS (SELECT FROM item WHERE price > random()));
-- refused
CREATE ASSERTION rots CHECK (NOT EXISTS (SELECT FROM item WHERE price > extract(year FROM now())));
-- refused
CREATE ASSERTION never CHECK (NOT EXISTS (SELECT id FROM state WHERE low < 10));
