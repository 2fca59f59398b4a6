-- What a violation tells: the rule, the row or group that violates it, the statement or COMMIT; with the fields made for constraints.
-- Oracle 26ai: the name of the assertion only.
-- Endb: the name of the assertion only.
-- PostgreSQL: no assertions.

CREATE SCHEMA rules;
CREATE TABLE team (id int PRIMARY KEY, cap int);
CREATE TABLE seat (id int PRIMARY KEY, team int, cost numeric(6,2), person text, since date);
CREATE INDEX ON seat (team);
INSERT INTO team VALUES (1, 2), (7, 1);
INSERT INTO seat VALUES (1, 1, 9.5, 'ann', '2030-01-01'), (2, 7, 1, 'bob', '2030-01-02');
CREATE ASSERTION rules.dear CHECK (NOT EXISTS (SELECT s.id AS seat, s.cost, upper(s.person) AS who, s.since FROM seat s WHERE s.cost > 10));
CREATE ASSERTION full_teams CHECK (NOT EXISTS (SELECT s.team AS team_id FROM seat s JOIN team t ON t.id = s.team GROUP BY s.team, t.cap HAVING count(*) > t.cap));
CREATE ASSERTION "Total" CHECK ((SELECT sum(cost) FROM seat) <= 50) DEFERRABLE INITIALLY DEFERRED;
CREATE ASSERTION either CHECK (EXISTS (SELECT FROM team WHERE id = 1) OR (SELECT count(*) FROM team) > 5);
\set VERBOSITY verbose
-- refused
UPDATE seat SET cost = 10.50 WHERE id = 1;
-- refused
INSERT INTO seat VALUES (3, 7, 1, 'eve', '2030-01-03');
-- refused
INSERT INTO seat SELECT n, NULL, 10, 'many', NULL FROM generate_series(10, 19) n;
-- refused
DELETE FROM team WHERE id = 1;
BEGIN;
INSERT INTO seat SELECT n, NULL, 10, NULL, NULL FROM generate_series(10, 14) n;
-- refused
COMMIT;
\set VERBOSITY default
-- The first violating row of several, with its NULLs, quotes and long values.
-- refused
INSERT INTO seat VALUES (4, NULL, 11, NULL, NULL);
-- refused
INSERT INTO seat VALUES (4, NULL, 11, 'O''Neil, "Shaq"', NULL);
-- refused
INSERT INTO seat VALUES (4, NULL, 11, repeat('x', 300), NULL);
-- By ON CONFLICT, WITH, and a cascade.
-- refused
INSERT INTO seat VALUES (1, 1, 12) ON CONFLICT (id) DO UPDATE SET cost = excluded.cost;
-- refused
WITH gone AS (DELETE FROM seat WHERE id = 2 RETURNING id) UPDATE seat SET cost = 20 FROM gone WHERE seat.id < gone.id;
CREATE TABLE person (name text PRIMARY KEY, owes int);
CREATE TABLE loan (name text REFERENCES person ON UPDATE CASCADE, n int);
CREATE INDEX ON loan (name);
INSERT INTO person VALUES ('ann', 5);
INSERT INTO loan VALUES ('ann', 5);
CREATE ASSERTION short CHECK (NOT EXISTS (SELECT name, n FROM loan WHERE length(name) > 4));
-- refused
UPDATE person SET name = 'anneliese';
-- A statement that fails leaves nothing behind.
SELECT id, team, cost, person FROM seat ORDER BY id;
