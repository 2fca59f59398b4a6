//go:build ignore

// Command gen_system reads the facts about PostgreSQL's system catalogs from a running server and writes
// system_relations.txt and system_rows.txt, which this package embeds:
//
//	go run gen_system.go 'host=/tmp/pg15 port=5999 user=postgres dbname=template1'
//
// The files are the output for PostgreSQL 15.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: gen_system CONNECTION")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close(ctx)
	relations(ctx, conn)
	rows(ctx, conn)
}

func create(name string) (*bufio.Writer, func()) {
	f, err := os.Create(name)
	if err != nil {
		log.Fatal(err)
	}
	w := bufio.NewWriter(f)
	return w, func() {
		if err := w.Flush(); err != nil {
			log.Fatal(err)
		}
		if err := f.Close(); err != nil {
			log.Fatal(err)
		}
	}
}

// relations writes a line for each relation: schema, name, OID, OID of the row type, kind, and for each column
// its name, type, typmod if any, collation if it is not the type's own, and ! for NOT NULL. Domains of the
// information schema stand as their base types.
func relations(ctx context.Context, conn *pgx.Conn) {
	w, done := create("system_relations.txt")
	defer done()
	result, err := conn.Query(ctx, `
		select n.nspname || ' ' || c.relname || ' ' || c.oid || ' ' || c.reltype || ' ' || c.relkind::text || ' ' ||
			string_agg(a.attname || ':' || case when t.typtype = 'd' then t.typbasetype else t.oid end ||
				case when t.typtype = 'd' and t.typtypmod <> -1 then '/' || t.typtypmod when a.atttypmod <> -1 then '/' || a.atttypmod else '' end ||
				case when a.attcollation <> b.typcollation then '~' || a.attcollation else '' end ||
				case when a.attnotnull then '!' else '' end, ' ' order by a.attnum)
		from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
			join pg_type t on t.oid = a.atttypid join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
		where n.nspname in ('pg_catalog', 'information_schema') and c.relkind in ('r', 'v') and a.attnum > 0 and c.oid < 16384
		group by n.nspname, c.relname, c.oid, c.reltype, c.relkind order by n.nspname desc, c.relname collate "C"`)
	if err != nil {
		log.Fatal(err)
	}
	lines, err := pgx.CollectRows(result, pgx.RowTo[string])
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range lines {
		fmt.Fprintln(w, l)
	}
}

// rows writes the rows of catalogs whose content is the same in every database: a line with * and the name of
// the relation, then a line of tab-separated values (\N for NULL) for each row.
func rows(ctx context.Context, conn *pgx.Conn) {
	w, done := create("system_rows.txt")
	defer done()
	for _, q := range []struct{ name, query string }{
		{"pg_am", "select oid, amname, amhandler::oid, amtype from pg_am where amname in ('heap', 'btree') order by oid"},
		{"pg_amop", "select * from pg_amop where amopmethod in (403) order by oid"},
		{"pg_amproc", "select oid, amprocfamily, amproclefttype, amprocrighttype, amprocnum, amproc::oid from pg_amproc where amprocfamily in (select oid from pg_opfamily where opfmethod in (403)) order by oid"},
		{"pg_collation", "select * from pg_collation where oid < 1000 or collname in ('ucs_basic') order by oid"},
		{"pg_language", "select oid, lanname, lanowner, lanispl, lanpltrusted, lanplcallfoid, laninline, lanvalidator, lanacl from pg_language where lanname in ('internal', 'c', 'sql') order by oid"},
		{"pg_opclass", "select * from pg_opclass where opcmethod in (403) order by oid"},
		{"pg_opfamily", "select * from pg_opfamily where opfmethod in (403) order by oid"},
		{"pg_range", "select rngtypid, rngsubtype, rngmultitypid, rngcollation, rngsubopc, rngcanonical::oid, rngsubdiff::oid from pg_range order by rngtypid"},
		{"pg_tablespace", "select * from pg_tablespace order by oid"},
		{"pg_type", `select oid, typname, typnamespace, typowner, typlen, typbyval, typtype, typcategory, typispreferred, typisdefined, typdelim, typrelid,
			typsubscript::oid, typelem, typarray, typinput::oid, typoutput::oid, typreceive::oid, typsend::oid, typmodin::oid, typmodout::oid,
			typanalyze::oid, typalign, typstorage, typnotnull, typbasetype, typtypmod, typndims, typcollation, typdefaultbin, typdefault, typacl
			from pg_type where typnamespace = 11 and typrelid = 0 and typname !~ '^_pg_' order by oid`},
		{"pg_description", `select objoid, classoid, objsubid, description from pg_description
			where classoid in ('pg_type'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass)
			or classoid = 'pg_collation'::regclass and objoid < 1000 or classoid = 'pg_language'::regclass and objoid < 10000
			or classoid = 'pg_am'::regclass and objoid in (2, 403) order by classoid, objoid`},
		{"pg_shdescription", "select objoid, classoid, description from pg_shdescription where objoid = 5"},
		{"pg_get_keywords", "select * from pg_get_keywords() order by word"},
		{"domains", `select t.oid, t.typarray, t.typname, t.typbasetype, t.typtypmod, t.typcollation from pg_type t
			where typnamespace = 'information_schema'::regnamespace and typtype = 'd' order by 1`},
	} {
		fmt.Fprintln(w, "*", q.name)
		err := copyTo(ctx, conn, w, q.query)
		if err != nil {
			log.Fatal(q.name, ": ", err)
		}
	}
}

func copyTo(ctx context.Context, conn *pgx.Conn, w *bufio.Writer, query string) error {
	_, err := conn.PgConn().CopyTo(ctx, w, "COPY ("+strings.TrimSpace(query)+") TO STDOUT")
	return err
}
