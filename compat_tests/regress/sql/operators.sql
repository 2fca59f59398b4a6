-- Arithmetic.
SELECT 7 / 2 AS div, -7 / 2 AS ndiv, 7 % 3 AS mod, -7 % 3 AS nmod, 2 ^ 10 AS pow, |/ 16.0 AS root, ||/ 8.0 AS cube, @ -5 AS abs;
SELECT 7.0 / 2 AS div, 1 / 3.0 AS third, 2.5 * 2 AS mul, 10.00 - 0.5 AS sub, 7.5 % 2 AS mod;
SELECT 5 & 3 AS band, 5 | 3 AS bor, 5 # 3 AS bxor, ~5 AS bnot, 1 << 4 AS shl, 256 >> 4 AS shr;
SELECT 1 / 0;
SELECT 1.0 / 0;
SELECT 1::float8 / 0;
SELECT 5 % 0;
SELECT 2147483647 + 1;
SELECT -2147483648 - 1;
SELECT 9223372036854775807 + 1;
SELECT 2147483647 * 2;
SELECT 32767::int2 + 1::int2;
SELECT - (-9223372036854775808);
SELECT 1 + 1.5 AS n, 1 + 1.5::float8 AS f, 1::int2 + 1::int8 AS i, pg_typeof(1::int2 + 1::int8), pg_typeof(1 + 1.5), pg_typeof(1::float4 + 1), pg_typeof(1::float4 + 1::float8);
-- Precedence.
SELECT 2 + 3 * 4 AS a, (2 + 3) * 4 AS b, -2 ^ 2 AS c, 2 ^ 3 ^ 2 AS d, NOT true AND false AS e, true OR false AND false AS f, 1 + 2 = 3 AS g, 'a' || 1 + 2 AS h;
-- Comparison.
SELECT 1 < 2 AS lt, 1 <= 1 AS le, 2 > 1 AS gt, 2 >= 3 AS ge, 1 = 1.0 AS eq, 1 <> 2 AS ne, 1 != 1 AS ne2;
SELECT 'a' < 'b' AS a, 'B' < 'a' AS b, 'abc' = 'abc ' AS c, 'abc'::char(5) = 'abc' AS d, 'é' > 'z' AS e;
SELECT 5 BETWEEN 1 AND 10 AS a, 5 NOT BETWEEN 1 AND 10 AS b, 5 BETWEEN SYMMETRIC 10 AND 1 AS c, 5 BETWEEN 10 AND 1 AS d;
SELECT 1 IN (1, 2, 3) AS a, 4 NOT IN (1, 2, 3) AS b, 1 IN (2, NULL) AS c, 1 IN (1, NULL) AS d, NULL IN (1) AS e, 4 NOT IN (1, NULL) AS f;
SELECT NULL = NULL AS a, NULL IS NULL AS b, 1 IS NOT NULL AS c, NULL IS DISTINCT FROM NULL AS d, 1 IS DISTINCT FROM NULL AS e, 1 IS NOT DISTINCT FROM 1 AS f;
SELECT true IS TRUE AS a, NULL IS NOT TRUE AS b, false IS FALSE AS c, NULL::bool IS UNKNOWN AS d, true IS NOT UNKNOWN AS e;
SELECT NULL AND false AS a, NULL AND true AS b, NULL OR true AS c, NULL OR false AS d, NOT NULL AS e;
SELECT (1, 2) = (1, 2) AS a, (1, 2) < (1, 3) AS b, (1, NULL) = (1, 2) AS c, (1, NULL) = (2, 2) AS d, (2, NULL) > (1, 1) AS e, ROW(1, NULL) IS NULL AS f, ROW(NULL, NULL) IS NULL AS g, ROW(1, 2) IS NOT NULL AS h;
SELECT (1, 2) IN ((1, 2), (3, 4)) AS a;
-- Patterns.
SELECT 'abc' LIKE 'a%' AS a, 'abc' LIKE '_b_' AS b, 'abc' NOT LIKE 'b%' AS c, 'ABC' ILIKE 'abc' AS d, 'a%c' LIKE 'a\%c' AS e, 'a%c' LIKE 'a!%c' ESCAPE '!' AS f, 'abc' LIKE 'a' AS g, '' LIKE '%' AS h;
SELECT 'abc' ~ '^a' AS a, 'ABC' ~* 'abc' AS b, 'abc' !~ 'z' AS c, 'abc' !~* 'B' AS d, 'abc' SIMILAR TO '(a|b)%' AS e, 'foo123' ~ '\d+$' AS f;
SELECT 'abc' ~ '(';
SELECT 'x' LIKE 'abc\';
-- Strings.
SELECT 'a' || 'b' AS a, 'n=' || 5 AS b, 1 || 'x' AS c, 'a' || NULL AS d, 'x' || true AS e, 1.50 || '' AS f;
SELECT 'abc' ^@ 'ab' AS starts;
-- Operators that do not exist.
SELECT 1 + 'a';
SELECT 1 || 2;
SELECT true + 1;
SELECT 'a' + 'b';
SELECT date '2024-01-01' + date '2024-01-02';
SELECT 1 = 'x';
SELECT 1 = true;
SELECT text 'a' = 1;
SELECT 1 AND true;
SELECT NOT 5;
SELECT 1 === 2;
-- CASE, COALESCE and the like.
SELECT CASE WHEN 1 > 2 THEN 'a' WHEN 2 > 1 THEN 'b' ELSE 'c' END AS a, CASE 3 WHEN 1 THEN 'one' WHEN 3 THEN 'three' END AS b, CASE WHEN false THEN 1 END AS c;
SELECT CASE 1 WHEN 0 THEN 1/0 WHEN 1 THEN 2 END AS lazy;
SELECT CASE WHEN true THEN 1 ELSE 2.5 END AS n, pg_typeof(CASE WHEN true THEN 1 ELSE 2.5 END);
SELECT CASE WHEN true THEN 1 ELSE 'x' END;
SELECT CASE WHEN 1 THEN 2 END;
SELECT CASE WHEN true THEN 1 ELSE true END;
SELECT COALESCE(NULL, NULL, 3, 4) AS a, COALESCE(NULL, 'x') AS b, COALESCE(1, 2.5) AS c, NULLIF(1, 1) AS d, NULLIF(1, 2) AS e, NULLIF('a', 'b') AS f;
SELECT GREATEST(1, 5, 3) AS a, LEAST(2, 1.5, 3) AS b, GREATEST('a', 'b') AS c, GREATEST(NULL, 1) AS d, LEAST(NULL, NULL) AS e;
SELECT COALESCE(1, 'a');
SELECT COALESCE(1, true);
