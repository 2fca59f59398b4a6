CREATE TABLE c (a int, b text, d date);
COPY c FROM stdin;
1	one	2024-01-01
2	\N	\N
3	tab\there	2024-03-03
4	back\\slash	\N
\.
SELECT * FROM c ORDER BY a;
COPY c TO stdout;
COPY c (b, a) TO stdout;
COPY (SELECT a, b FROM c WHERE a > 2 ORDER BY a DESC) TO stdout;
COPY c (a, b) FROM stdin WITH (FORMAT csv);
5,plain
6,"quo""ted, comma"
7,""
8,
9,"multi
line"
\.
COPY c TO stdout WITH (FORMAT csv, HEADER);
COPY c TO stdout (FORMAT csv, DELIMITER ';', NULL 'nil', FORCE_QUOTE (b));
COPY c TO stdout WITH DELIMITER '|' NULL 'NULL';
COPY c FROM stdin WITH (FORMAT csv, HEADER true, DELIMITER ';', NULL 'nil');
x;y;z
10;nil;2024-10-10
\.
COPY c FROM stdin CSV HEADER;
a,b,d
11,eleven,2024-11-11
\.
COPY c (a, b) FROM stdin (FORMAT csv, QUOTE '''', ESCAPE '\');
12,'it\'s'
\.
SELECT a, b, d FROM c WHERE a >= 5 ORDER BY a;
COPY c FROM stdin;
x	bad	2024-01-01
\.
COPY c FROM stdin;
1
\.
COPY c FROM stdin;
1	a	2024-01-01	extra
\.
COPY c FROM stdin;
20	ok	2024-01-01
21	bad	notadate
\.
SELECT count(*) FROM c WHERE a >= 20;
COPY c (a, nosuch) FROM stdin;
COPY nosuch FROM stdin;
COPY nosuch TO stdout;
COPY (SELECT nosuch) TO stdout;
COPY c FROM stdin (FORMAT nosuch);
COPY c TO stdout (FORMAT csv, DELIMITER 'xx');
COPY c TO stdout (NOSUCH 1);
CREATE TABLE k (id int PRIMARY KEY, v int NOT NULL CHECK (v > 0));
COPY k FROM stdin;
1	5
1	6
\.
COPY k FROM stdin;
1	-5
\.
COPY k FROM stdin;
1	\N
\.
COPY k FROM stdin;
1	1
2	2
\.
SELECT * FROM k ORDER BY id;
COPY (VALUES (1, 'a'), (2, NULL)) TO stdout;
COPY (SELECT ''::text, 'x' || E'\n' || 'y', E'\\.') TO stdout;
COPY (SELECT ''::text AS e, NULL::text AS n, 'x,y' AS c) TO stdout CSV HEADER;
COPY (SELECT true, 1.50::numeric, '\x01ff'::bytea, ARRAY['a b', NULL], timestamp '2024-01-01 00:00:00') TO stdout;
COPY (INSERT INTO k VALUES (3, 3) RETURNING *) TO stdout;
BEGIN;
COPY k FROM stdin;
4	4
\.
ROLLBACK;
SELECT count(*) FROM k;
\copy k from stdin
5	5
\.
\copy (select id from k order by id) to stdout
SELECT count(*) FROM k;
