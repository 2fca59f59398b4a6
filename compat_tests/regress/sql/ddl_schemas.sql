CREATE SCHEMA one;
CREATE SCHEMA one;
CREATE SCHEMA IF NOT EXISTS one;
CREATE SCHEMA pg_bad;
CREATE TABLE one.t (a int PRIMARY KEY, b text);
CREATE TABLE t (a int);
INSERT INTO one.t VALUES (1, 'in one');
INSERT INTO t VALUES (2);
SELECT * FROM one.t;
SELECT * FROM t;
SELECT one.t.b, t.a FROM one.t;
SET search_path TO one, public;
SELECT * FROM t;
SELECT current_schema();
CREATE TABLE made (x int);
\dt
SET search_path TO public;
SELECT * FROM made;
SELECT * FROM one.made;
\d one.t
\dt one.*
\dn
DROP SCHEMA one;
DROP SCHEMA one CASCADE;
SELECT * FROM one.t;
DROP SCHEMA nosuch;
DROP SCHEMA IF EXISTS nosuch;
CREATE SCHEMA two CREATE TABLE inner_t (a int) CREATE VIEW inner_v AS SELECT a FROM inner_t;
SELECT * FROM two.inner_v;
CREATE TABLE two.moved (a int PRIMARY KEY, b text UNIQUE);
INSERT INTO two.moved VALUES (1, 'x');
ALTER TABLE two.moved SET SCHEMA public;
SELECT * FROM moved;
INSERT INTO moved VALUES (2, 'x');
\d moved
SELECT a.x FROM (SELECT 1 AS x) a, (SELECT 2 AS x) b WHERE a.x < b.x;
SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT LIKE 'pg_%' ORDER BY 1;
SELECT nspname FROM pg_namespace WHERE nspname IN ('public', 'two', 'pg_catalog') ORDER BY 1;
CREATE TABLE pg_class (a int);
SELECT count(*) > 0 AS system FROM pg_class;
DROP TABLE public.pg_class;
CREATE TABLE pg_catalog.bad (a int);
DROP TABLE pg_catalog.pg_type;
SELECT two.inner_v.a FROM two.inner_v;
SELECT nosuch.t.a FROM t;
ALTER SCHEMA two RENAME TO three;
