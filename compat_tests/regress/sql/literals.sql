-- Literals and the types they get.
SELECT 1 AS one, 1.5 AS num, 'text' AS txt, NULL AS nul, true AS yes, false AS no;
SELECT 2147483647 AS i4, 2147483648 AS i8, 9223372036854775808 AS n;
SELECT 1e3 AS e, .5 AS half, 5. AS five, 1.0e-3 AS milli;
SELECT pg_typeof(1), pg_typeof(2147483648), pg_typeof(9223372036854775808), pg_typeof(1.0), pg_typeof(1e3), pg_typeof('x'), pg_typeof(NULL), pg_typeof(true);
SELECT 'it''s' AS quote, E'tab\tnl\\' AS esc, E'\u00e9\x41\101' AS codes, $$dollar 'quoted'$$ AS dollar, $tag$a $$ b$tag$ AS tagged;
SELECT 'two' ' words';
SELECT 'joined '
    'across lines' AS joined;
SELECT U&'d\0061t\+000061' AS unicode;
SELECT B'1010' AS bits;
SELECT X'1F' AS hexbits;
SELECT '\xDEADBEEF'::bytea AS bytes, E'\\001\\377abc'::bytea AS escaped;
SELECT int '42' AS i, date '2024-02-29' AS d, interval '1 day 02:03:04' AS iv, numeric '1.50' AS n, bool 'yes' AS b;
SELECT '12'::int2 + 1 AS a, '12'::int8 * 2 AS b, 1::float4 / 3 AS c, 1::float8 / 3 AS d;
SELECT 'NaN'::float8 AS nan, 'Infinity'::float8 AS inf, '-inf'::float8 AS ninf, '1e308'::float8 AS big, '1e-300'::float8 AS small;
SELECT 1e15::float8 AS a, 1e16::float8 AS b, 123456789012345678::float8 AS c, 0.0001::float8 AS d, 0.00001::float8 AS e, 1.5e7::float4 AS f, 16777217::float4 AS g;
SELECT 'NaN'::numeric AS nan, 'Infinity'::numeric AS inf;
SELECT 't'::bool, 'off'::bool, 'y'::bool, '1'::bool, 'FALSE'::bool;
SELECT 'maybe'::bool;
SELECT 'abc'::int;
SELECT ''::int;
SELECT '99999999999'::int;
SELECT '40000'::int2;
SELECT 'x1.5'::numeric;
SELECT '1.5'::int;
SELECT '  7  '::int AS padded;
SELECT '2024-13-01'::date;
SELECT 'not a date'::date;
SELECT '2023-02-29'::date;
SELECT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS u, '{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}'::uuid AS v;
SELECT 'a0eebc99'::uuid;
SELECT '{"a": [1, 2, {"b": null}]}'::json AS j, '{"b": 1, "a": [1,  2]}'::jsonb AS jb;
SELECT '{bad}'::json;
SELECT 'abcdef'::varchar(3) AS v, 'ab'::char(5) AS c, length('ab'::char(5)) AS len, octet_length('ab'::char(5)) AS octets, 'ab'::char(5) || '|' AS cat;
SELECT 'abc'::name AS n, 'x'::"char" AS ch;
SELECT 12345.678::numeric(7,2) AS n, 12345.675::numeric(10,2) AS up, (-0.5)::numeric(3,0) AS half;
SELECT 12345.678::numeric(5,2);
SELECT 1 AS "Mixed Case", 2 AS "select", 3 AS "quo""te";
SELECT 1 one, 2 "two";
SELECT /* a comment /* nested */ still */ 1 AS c; -- tail
SELECT 1 -- comment
  + 1 AS two;
SELECT ROW(1, 'a', NULL) AS r, ROW() AS e, (1, 2) AS p;
SELECT 'unterminated;
';
SELECT 1_000;
SELECT 0x1F;
SELECT '' AS empty, ' ' AS space, NULL::text AS nul;
\pset null '(null)'
SELECT '' AS empty, NULL::text AS nul, NULL::int AS i;
