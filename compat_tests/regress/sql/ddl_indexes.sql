CREATE TABLE t (a int, b text, c int);
INSERT INTO t SELECT g, 'v' || g % 5, g % 3 FROM generate_series(1, 50) g;
CREATE INDEX ON t (a);
CREATE INDEX t_bc ON t (b, c DESC);
CREATE UNIQUE INDEX t_u ON t (a, b);
CREATE INDEX t_low ON t (lower(b));
CREATE INDEX t_expr ON t ((a + c), b);
CREATE INDEX t_part ON t (a) WHERE c = 1;
CREATE INDEX t_nf ON t (a DESC NULLS LAST, b ASC NULLS FIRST);
CREATE INDEX t_inc ON t (a) INCLUDE (c);
CREATE INDEX t_hash ON t USING btree (c);
CREATE INDEX t_bc ON t (b);
CREATE INDEX IF NOT EXISTS t_bc ON t (b);
CREATE INDEX bad ON t (nosuch);
CREATE INDEX bad ON nosuch (a);
CREATE TABLE twice AS SELECT g % 4 AS a FROM generate_series(1, 5) g;
CREATE UNIQUE INDEX bad ON twice (a);
CREATE INDEX bad ON t (sum(a));
CREATE INDEX bad ON t (now());
CREATE INDEX CONCURRENTLY t_conc ON t (c, a);
\d t
\di
\d t_bc
\d t_part
\d t_low
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY 1;
SELECT pg_get_indexdef('t_nf'::regclass), pg_get_indexdef('t_nf'::regclass, 2, true);
SELECT a FROM t WHERE b = 'v1' AND c = 2 ORDER BY a;
SELECT a FROM t WHERE lower(b) = 'v2' ORDER BY a LIMIT 3;
SELECT a FROM t WHERE c = 1 AND a < 10 ORDER BY a;
SELECT a, b FROM t WHERE a BETWEEN 10 AND 13 ORDER BY a DESC;
SELECT a FROM t WHERE a + c = 12 ORDER BY a;
SELECT max(a), min(a) FROM t;
SELECT a FROM t ORDER BY a DESC LIMIT 2;
SELECT a FROM t WHERE a IN (3, 1, 99, 2) ORDER BY a;
SELECT a FROM t WHERE a > 48 OR a < 2 ORDER BY a;
UPDATE t SET a = a + 100 WHERE c = 0;
SELECT count(*), min(a), max(a) FROM t WHERE a > 100;
DELETE FROM t WHERE a > 110;
SELECT count(*) FROM t WHERE a > 100;
SELECT count(*) FROM t WHERE lower(b) = 'v2';
INSERT INTO t VALUES (1, 'v1', 0);
INSERT INTO t VALUES (1, NULL, 0), (1, NULL, 0);
SELECT count(*) FROM t WHERE a = 1 AND b IS NULL;
ALTER INDEX t_bc RENAME TO t_renamed;
DROP INDEX t_renamed;
DROP INDEX t_renamed;
DROP INDEX IF EXISTS t_renamed;
DROP INDEX t;
DROP TABLE t_u;
REINDEX TABLE t;
CREATE TABLE u (id int PRIMARY KEY, v int CONSTRAINT v_unique UNIQUE);
DROP INDEX u_pkey;
\d u
ALTER TABLE u DROP CONSTRAINT v_unique;
\d u
CREATE UNIQUE INDEX u_v ON u (v) NULLS NOT DISTINCT;
INSERT INTO u VALUES (1, NULL);
INSERT INTO u VALUES (2, NULL);
ALTER TABLE u ADD CONSTRAINT u_v_con UNIQUE USING INDEX u_v;
\d u
CREATE TABLE x (k text);
INSERT INTO x VALUES ('b'), ('A'), ('a'), ('B'), (NULL), ('');
CREATE INDEX ON x (k);
SELECT k FROM x ORDER BY k;
SELECT k FROM x WHERE k >= 'a' ORDER BY k DESC;
SELECT k FROM x WHERE k LIKE 'a%';
SELECT count(*) FROM x WHERE k IS NULL;
