#!/usr/bin/env bash
# Records in resolution.txt which operators, functions, common types and casts PostgreSQL chooses for every
# combination of some argument types. The arguments are for psql. A result is an OID of operator, function or
# type, "-" if the call is a conversion, or the SQLSTATE of the error ("." for 42883); on each line they stand in
# the order of the types in the first line.
set -eu
cd "$(dirname "$0")"
psql -X -q -At -v ON_ERROR_STOP=1 "$@" <<'Q' | sed "s/ 42883\\b/ ./g" > resolution.txt
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.chosen(expr text, pattern text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
  EXECUTE 'CREATE OR REPLACE TEMP VIEW probe AS SELECT ' || expr || ' AS x';
  IF pattern IS NULL THEN
    SELECT a.atttypid::text INTO r FROM pg_attribute a WHERE a.attrelid = 'probe'::regclass AND a.attnum = 1;
  ELSE
    SELECT coalesce((regexp_match(w.ev_action, pattern))[1], '-') INTO r FROM pg_rewrite w WHERE w.ev_class = 'probe'::regclass;
  END IF;
  EXECUTE 'DROP VIEW probe';
  RETURN r;
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
CREATE TEMP TABLE t(n serial, name text, lit text);
INSERT INTO t(name, lit)
SELECT u, CASE u WHEN 'unknown' THEN 'NULL' ELSE 'NULL::pg_catalog.' || quote_ident(u) END
FROM unnest('{unknown,bool,int2,int4,int8,float4,float8,numeric,text,varchar,bpchar,name,char,bytea,date,time,timetz,timestamp,timestamptz,interval,uuid,oid,regclass,_int4,_text,int2vector,json,jsonb}'::text[]) u;
SELECT 'types ' || string_agg(name, ' ' ORDER BY n) FROM t;
SELECT 'operator ' || o || ' ' || l.name || ' ' || string_agg(pg_temp.chosen(l.lit || o || ' ' || r.lit, ':opno (\d+)'), ' ' ORDER BY r.n)
FROM unnest('{+,-,*,/,%,^,=,<,||,~~,~,@>,&&,->,&,<<}'::text[]) o, t l, t r GROUP BY o, l.n, l.name ORDER BY o, l.n;
SELECT 'prefix ' || o || ' ' || string_agg(pg_temp.chosen(o || ' ' || r.lit, ':opno (\d+)'), ' ' ORDER BY r.n)
FROM unnest('{+,-,@,~,|/}'::text[]) o, t r GROUP BY o ORDER BY o;
SELECT 'function1 ' || f || ' ' || string_agg(pg_temp.chosen(f || '(' || r.lit || ')', '(?:funcid|aggfnoid) (\d+)'), ' ' ORDER BY r.n)
FROM unnest('{abs,ceil,round,trunc,sqrt,length,lower,upper,md5,ascii,chr,age,date,sum,min,max,avg,count,array_agg,bool_and,bit_and,stddev,cardinality,unnest,to_json,int4,float8,text,justify_days,isfinite,ln,sign,octet_length,reverse,initcap,quote_literal,pg_typeof,to_hex,json_typeof,concat}'::text[]) f, t r GROUP BY f ORDER BY f;
SELECT 'function2 ' || f || ' ' || l.name || ' ' || string_agg(pg_temp.chosen(f || '(' || l.lit || ',' || r.lit || ')', '(?:funcid|aggfnoid) (\d+)'), ' ' ORDER BY r.n)
FROM unnest('{power,mod,round,log,date_trunc,date_part,timezone,substr,left,to_char,array_append,array_cat,array_position,generate_series,string_agg,concat,age,to_timestamp,json_object_agg,atan2,gcd,strpos}'::text[]) f, t l, t r GROUP BY f, l.n, l.name ORDER BY f, l.n;
SELECT 'common ' || l.name || ' ' || string_agg(pg_temp.chosen('CASE WHEN random() > 1 THEN ' || l.lit || ' ELSE ' || r.lit || ' END', NULL), ' ' ORDER BY r.n)
FROM t l, t r GROUP BY l.n, l.name ORDER BY l.n;
SELECT 'cast ' || l.name || ' ' || string_agg(pg_temp.chosen('CAST(' || l.lit || ' AS pg_catalog.' || quote_ident(r.name) || ')', NULL), ' ' ORDER BY r.n)
FROM t l, t r WHERE r.name <> 'unknown' GROUP BY l.n, l.name ORDER BY l.n;
Q
