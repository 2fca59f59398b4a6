-- What a check costs: it goes from the changed rows to what they may concern, by indexes, and is left out where it cannot matter.
-- Oracle 26ai: by change as well, for the shapes that it accepts.
-- Endb: evaluates the rule over all rows at each change.
-- PostgreSQL: no assertions; a trigger is what its author makes of it.

CREATE TABLE team (id int PRIMARY KEY, name text, budget int, cap int);
CREATE TABLE seat (id int PRIMARY KEY, team int, cost int, note text);
CREATE TABLE other (id int PRIMARY KEY);
CREATE INDEX ON seat (team);
-- A join: from a seat to its team, from a team to its seats.
CREATE ASSERTION joined CHECK (NOT EXISTS (SELECT s.id, t.id FROM seat s JOIN team t ON t.id = s.team WHERE s.cost > t.budget));
-- checked
EXPLAIN (COSTS OFF) ASSERTION joined FOR INSERT ON seat;
-- checked
EXPLAIN (COSTS OFF) ASSERTION joined FOR UPDATE OF budget ON team;
-- never
EXPLAIN ASSERTION joined FOR DELETE ON seat;
-- never
EXPLAIN ASSERTION joined FOR UPDATE OF note ON seat;
-- never
EXPLAIN ASSERTION joined FOR UPDATE OF name ON team;
-- never
EXPLAIN ASSERTION joined FOR INSERT ON other;
-- A group: the one that the row belongs to.
CREATE ASSERTION grouped CHECK (NOT EXISTS (SELECT team FROM seat GROUP BY team HAVING count(*) > 10));
-- checked
EXPLAIN (COSTS OFF) ASSERTION grouped FOR INSERT ON seat;
-- checked
EXPLAIN (COSTS OFF) ASSERTION grouped FOR UPDATE OF team ON seat;
-- never
EXPLAIN ASSERTION grouped FOR DELETE ON seat;
-- never
EXPLAIN ASSERTION grouped FOR UPDATE OF cost ON seat;
-- A bound in another row. What a row's change cannot raise is seen from the row: "Inserted If", "Updated If".
CREATE ASSERTION bound CHECK (NOT EXISTS (SELECT t.id, t.budget FROM team t WHERE (SELECT sum(cost) FROM seat s WHERE s.team = t.id) > t.budget));
-- checked
EXPLAIN (COSTS OFF) ASSERTION bound FOR INSERT ON seat;
-- checked
EXPLAIN (COSTS OFF) ASSERTION bound FOR UPDATE OF cost ON seat;
-- checked
EXPLAIN (COSTS OFF) ASSERTION bound FOR UPDATE OF budget ON team;
-- never
EXPLAIN ASSERTION bound FOR DELETE ON team;
-- NOT EXISTS below NOT EXISTS.
CREATE ASSERTION nested CHECK (NOT EXISTS (SELECT t.id FROM team t WHERE t.cap > 0 AND NOT EXISTS (SELECT FROM seat s WHERE s.team = t.id)));
-- checked
EXPLAIN (COSTS OFF) ASSERTION nested FOR INSERT ON team;
-- checked
EXPLAIN (COSTS OFF) ASSERTION nested FOR DELETE ON seat;
-- never
EXPLAIN ASSERTION nested FOR INSERT ON seat;
-- never
EXPLAIN ASSERTION nested FOR DELETE ON team;
-- An outer join, a set operation, a window.
CREATE ASSERTION outer_joined CHECK (NOT EXISTS (SELECT s.id FROM seat s LEFT JOIN team t ON t.id = s.team WHERE t.id IS NULL));
-- checked
EXPLAIN (COSTS OFF) ASSERTION outer_joined FOR INSERT ON seat;
-- checked
EXPLAIN (COSTS OFF) ASSERTION outer_joined FOR DELETE ON team;
CREATE ASSERTION subset CHECK (NOT EXISTS (SELECT team FROM seat EXCEPT SELECT id FROM team));
-- checked
EXPLAIN (COSTS OFF) ASSERTION subset FOR INSERT ON seat;
CREATE ASSERTION windowed CHECK (NOT EXISTS (SELECT id FROM (SELECT id, rank() OVER (PARTITION BY team ORDER BY cost) AS r FROM seat) w WHERE r > 20));
-- checked
EXPLAIN (COSTS OFF) ASSERTION windowed FOR INSERT ON seat;
-- All of one rule: for each table and kind of statement, and a part for each conjunct.
CREATE ASSERTION two CHECK (
  NOT EXISTS (SELECT id, cost FROM seat WHERE cost < 0) AND
  NOT EXISTS (SELECT s.id FROM seat s WHERE NOT EXISTS (SELECT FROM team t WHERE t.id = s.team)));
EXPLAIN (COSTS OFF) ASSERTION two;
-- Where a check has no way but to read a whole table, CREATE ASSERTION says so, with the index that helps, if one does.
CREATE TABLE expense (id int PRIMARY KEY, team int, amount int);
CREATE ASSERTION advised CHECK (NOT EXISTS (SELECT t.id FROM team t WHERE (SELECT sum(amount) FROM expense e WHERE e.team = t.id) > t.budget));
EXPLAIN (COSTS OFF) ASSERTION advised FOR INSERT ON expense;
CREATE INDEX ON public.expense (team);
-- checked
EXPLAIN (COSTS OFF) ASSERTION advised FOR INSERT ON expense;
CREATE ASSERTION everything CHECK ((SELECT count(*) FROM team) < 100);
CREATE ASSERTION in_full CHECK (NOT EXISTS (
  WITH RECURSIVE up AS (SELECT id, team FROM seat UNION SELECT up.id, s.team FROM up JOIN seat s ON s.id = up.team) SELECT id FROM up WHERE id = team));
EXPLAIN (COSTS OFF) ASSERTION in_full FOR DELETE ON seat;
