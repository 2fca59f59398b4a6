CREATE TABLE t (a int, b text);
INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three');
PREPARE get (int) AS SELECT b FROM t WHERE a = $1;
EXECUTE get (1);
EXECUTE get ('2');
EXECUTE get (1 + 2);
EXECUTE get (NULL);
EXECUTE get;
EXECUTE get (1, 2);
EXECUTE get ('x');
EXECUTE nosuch;
PREPARE get AS SELECT 1;
PREPARE ins AS INSERT INTO t VALUES ($1, $2) RETURNING *;
EXECUTE ins (4, 'four');
EXECUTE ins ('5', 6);
PREPARE typed (text, numeric) AS SELECT $1 || '!' AS a, $2 * 2 AS b;
EXECUTE typed ('x', 1.5);
EXECUTE typed ('x', 'y');
PREPARE bad AS SELECT $1;
EXECUTE bad ('x');
PREPARE ambiguous AS SELECT $1 + $2;
PREPARE gap AS SELECT $2::int;
EXECUTE gap (1, 2);
PREPARE lim AS SELECT a FROM t ORDER BY a LIMIT $1;
EXECUTE lim (2);
PREPARE anyp AS SELECT a FROM t WHERE a = ANY ($1) ORDER BY a;
EXECUTE anyp ('{1,3}');
PREPARE vals AS SELECT * FROM (VALUES ($1::int, $2::text)) v;
EXECUTE vals (1, 'x');
PREPARE err AS SELECT nosuch FROM t;
PREPARE syn AS SELEC 1;
PREPARE up AS UPDATE t SET b = $2 WHERE a = $1;
EXECUTE up (1, 'uno');
SELECT b FROM t WHERE a = 1;
PREPARE del AS DELETE FROM t WHERE a > $1 RETURNING a;
EXECUTE del (3);
DEALLOCATE get;
EXECUTE get (1);
DEALLOCATE nosuch;
SELECT name, statement, parameter_types, from_sql FROM pg_prepared_statements ORDER BY name;
DEALLOCATE ALL;
SELECT count(*) FROM pg_prepared_statements;
PREPARE s AS SELECT * FROM t;
ALTER TABLE t ADD COLUMN c int;
EXECUTE s;
DEALLOCATE s;
PREPARE s AS SELECT a FROM t ORDER BY a;
ALTER TABLE t DROP COLUMN c;
EXECUTE s;
DROP TABLE t;
EXECUTE s;
-- psql's description of a statement without running it.
CREATE TABLE d (id bigint, v varchar(10), n numeric(6,2), ts timestamptz(3), arr text[]);
SELECT *, 1 AS i, 'x' AS s, now() AS ts FROM d \gdesc
SELECT $1 \gdesc
INSERT INTO d (id) VALUES (1) \gdesc
SELECT 1 AS a, 2 AS b \gset
\echo :a :b
SELECT 'SELECT 1 AS q' \gexec
SELECT 'k' AS k, 'v' AS v, 1 AS n \crosstabview
SELECT 1 AS x \gx
