#!/usr/bin/env bash
# Writes the facts of PostgreSQL 15's built-in functions, operators and casts from the catalogs of a running
# server, given as arguments for psql. Types are named by typname; columns are separated by tabs.
set -eu
cd "$(dirname "$0")"
run() { psql -X -q -v ON_ERROR_STOP=1 "$@"; }

# oid name kind strict retset volatility defaults variadic-element result arguments source argument-names out-names out-types
run "$@" > proc.tsv <<'Q'
COPY (
  SELECT p.oid, p.proname, p.prokind, p.proisstrict, p.proretset, p.provolatile, p.pronargdefaults,
         CASE WHEN p.provariadic <> 0 THEN v.typname ELSE '' END, r.typname,
         (SELECT coalesce(string_agg(t.typname, ' ' ORDER BY a.n), '') FROM unnest(p.proargtypes) WITH ORDINALITY a(t, n) JOIN pg_type t ON t.oid = a.t),
         p.prosrc,
         CASE WHEN p.proargnames IS NULL THEN '' ELSE
           (SELECT coalesce(string_agg(p.proargnames[n], ' ' ORDER BY n), '') FROM generate_subscripts(p.proargnames, 1) n
            WHERE p.proargmodes IS NULL OR p.proargmodes[n] IN ('i', 'b', 'v')) END,
         coalesce((SELECT string_agg(p.proargnames[n], ' ' ORDER BY n) FROM generate_subscripts(p.proargmodes, 1) n
            WHERE p.proargmodes[n] IN ('o', 'b', 't')), ''),
         coalesce((SELECT string_agg(t.typname, ' ' ORDER BY n) FROM generate_subscripts(p.proargmodes, 1) n
            JOIN pg_type t ON t.oid = p.proallargtypes[n] WHERE p.proargmodes[n] IN ('o', 'b', 't')), '')
  FROM pg_proc p JOIN pg_type r ON r.oid = p.prorettype LEFT JOIN pg_type v ON v.oid = p.provariadic
  WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384 AND p.proname NOT LIKE 'binary\_upgrade\_%'
    AND NOT (p.prolang = 13 AND p.proargtypes[2] = 'cstring'::regtype) -- encoding conversions
  ORDER BY p.oid
) TO STDOUT;
Q

# oid name left right result function commutator negator btree-strategy hashable
run "$@" > operator.tsv <<'Q'
COPY (
  SELECT o.oid, o.oprname, coalesce(l.typname, ''), r.typname, t.typname, o.oprcode::oid,
         coalesce(c.oprname, ''), coalesce(n.oprname, ''),
         coalesce((SELECT min(a.amopstrategy) FROM pg_amop a JOIN pg_opclass k ON k.opcfamily = a.amopfamily AND k.opcdefault
                   WHERE a.amopopr = o.oid AND a.amopmethod = 403), 0),
         o.oprcanhash
  FROM pg_operator o LEFT JOIN pg_type l ON l.oid = o.oprleft JOIN pg_type r ON r.oid = o.oprright
       JOIN pg_type t ON t.oid = o.oprresult LEFT JOIN pg_operator c ON c.oid = o.oprcom LEFT JOIN pg_operator n ON n.oid = o.oprnegate
  WHERE o.oid < 16384
  ORDER BY o.oid
) TO STDOUT;
Q

# source target function context method
run "$@" > cast.tsv <<'Q'
COPY (
  SELECT s.typname, t.typname, c.castfunc, c.castcontext, c.castmethod
  FROM pg_cast c JOIN pg_type s ON s.oid = c.castsource JOIN pg_type t ON t.oid = c.casttarget
  WHERE c.oid < 16384
  ORDER BY c.castsource, c.casttarget
) TO STDOUT;
Q
