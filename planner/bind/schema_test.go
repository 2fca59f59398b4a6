package bind

import (
	"context"
	"fmt"
	"testing"

	"holdfast/kv"
	"holdfast/kv/memkv"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/funcs"
	"holdfast/sql/parse"
	"holdfast/sql/types"
)

// schema makes catalog objects from CREATE statements, as much of DDL as binding needs, in an in-memory store.
type schema struct {
	t    testing.TB
	txn  kv.Txn
	snap *catalog.Snapshot
}

func newSchema(t testing.TB) *schema {
	t.Helper()
	store := memkv.New(memkv.Options{})
	c, err := catalog.Open(context.Background(), store)
	if err != nil {
		t.Fatal(err)
	}
	txn, err := store.Begin(context.Background(), kv.TxnOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(txn.Rollback)
	snap, err := c.Snapshot(context.Background(), txn)
	if err != nil {
		t.Fatal(err)
	}
	return &schema{t: t, txn: txn, snap: snap}
}

func (s *schema) options(text string) Options {
	return Options{Snapshot: s.snap, SearchPath: []string{"public"}, Text: text,
		Ctx: &funcs.Ctx{Context: context.Background(), Env: types.DefaultEnv}}
}

func (s *schema) exec(sql string) error {
	list, err := parse.Parse(sql)
	if err != nil {
		return err
	}
	for i := range list {
		if err := s.run(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *schema) run(st *parse.Statement) error {
	ctx := context.Background()
	switch d := st.Stmt.(type) {
	case *ast.CreateTable:
		t := &catalog.Table{Name: d.Table.Name, Schema: catalog.PublicOID, Kind: catalog.KindTable, Owner: catalog.PostgresRoleOID}
		for i, c := range d.Columns {
			if err := s.column(t, int16(i+1), c); err != nil {
				return err
			}
		}
		for _, k := range d.Constraints {
			s.constraint(t, k, k.Columns)
		}
		return s.put(t)
	case *ast.CreateIndex:
		t, err := s.snap.Lookup([]string{"public"}, "", d.Table.Name)
		if err != nil {
			return err
		}
		c := *t
		x := &catalog.Index{Name: d.Name, Unique: d.Unique}
		for _, e := range d.Elems {
			if e.Column != "" {
				x.Keys = append(x.Keys, catalog.IndexKey{Column: t.Column(e.Column).Number})
				continue
			}
			o := s.options("")
			o.Print = true
			b, err := BindExpr(ctx, o, t, e.Expr, IndexExpr, nil, -1, "")
			if err != nil {
				return err
			}
			x.Keys = append(x.Keys, catalog.IndexKey{Expr: b.Text, Type: b.Expr.Type()})
		}
		if d.Where != nil {
			o := s.options("")
			o.Print = true
			b, err := BindExpr(ctx, o, t, d.Where, IndexPredicate, nil, -1, "")
			if err != nil {
				return err
			}
			x.Predicate = b.Text
		}
		c.Indexes = append(append([]*catalog.Index(nil), t.Indexes...), x)
		return s.put(&c)
	case *ast.CreateView:
		q, text, err := BindView(ctx, s.options(st.Text), d.Query, d.Columns)
		if err != nil {
			return err
		}
		v := &catalog.Table{Name: d.View.Name, Schema: catalog.PublicOID, Kind: catalog.KindView, Owner: catalog.PostgresRoleOID,
			View: &catalog.View{Query: text.Query, Source: text.Source, CheckOption: d.CheckOption, DependsOn: text.DependsOn}}
		for _, o := range d.Options {
			if l, ok := o.Value.(*ast.Literal); ok && o.Name == "check_option" {
				v.View.CheckOption = l.Value
			}
		}
		for i, c := range q.Output {
			d := q.Column(c.ID)
			v.Columns = append(v.Columns, &catalog.Column{Number: int16(i + 1), Name: c.Name, Type: d.Typ, Mod: d.M})
		}
		return s.put(v)
	}
	return fmt.Errorf("%T in the test's schema", st.Stmt)
}

func (s *schema) put(t *catalog.Table) error {
	snap, err := s.snap.PutTable(context.Background(), s.txn, t)
	if err == nil {
		s.snap = snap
	}
	return err
}

func (s *schema) column(t *catalog.Table, n int16, d *ast.ColumnDef) error {
	ctx := context.Background()
	c := &catalog.Column{Number: n, Name: d.Name, Mod: -1}
	if len(d.Type.Names) == 1 && d.Type.Names[0] == "serial" {
		c.Type, c.NotNull = types.Int4, true
		seq := &catalog.Table{Name: t.Name + "_" + d.Name + "_seq", Schema: catalog.PublicOID, Kind: catalog.KindSequence,
			Sequence: &catalog.Sequence{Type: types.Int4, Start: 1, Increment: 1, Min: 1, Max: 1<<31 - 1, Cache: 1}}
		if err := s.put(seq); err != nil {
			return err
		}
		seqs, err := s.snap.Lookup([]string{"public"}, "", seq.Name)
		if err != nil {
			return err
		}
		c.Sequence = seqs.OID
		c.Default = fmt.Sprintf("nextval(%d::regclass)", seqs.OID)
	} else {
		var err error
		if c.Type, c.Mod, err = ResolveType(s.options(""), d.Type); err != nil {
			return err
		}
	}
	t.Columns = append(t.Columns, c)
	for _, k := range d.Constraints {
		switch k.Kind {
		case ast.ConstrNotNull:
			c.NotNull = true
		case ast.ConstrDefault:
			o := s.options("")
			o.Print = true
			b, err := BindExpr(ctx, o, nil, k.Expr, DefaultExpr, c.Type, c.Mod, c.Name)
			if err != nil {
				return err
			}
			c.Default = b.Text
		case ast.ConstrGenerated:
			o := s.options("")
			o.Print = true
			b, err := BindExpr(ctx, o, t, k.Expr, GeneratedExpr, c.Type, c.Mod, c.Name)
			if err != nil {
				return err
			}
			c.Generated = b.Text
		case ast.ConstrIdentity:
			c.NotNull, c.Identity, c.Sequence = true, 'd', 77
			if k.Generated == "always" {
				c.Identity = 'a'
			}
		default:
			s.constraint(t, k, []string{d.Name})
		}
	}
	return nil
}

func (s *schema) constraint(t *catalog.Table, k *ast.Constraint, columns []string) {
	kind := map[ast.ConstraintKind]catalog.ConstraintKind{ast.ConstrPrimaryKey: catalog.PrimaryKeyConstraint, ast.ConstrUnique: catalog.UniqueConstraint}[k.Kind]
	if kind == 0 {
		return
	}
	oid := catalog.OID(100000 + 1000*len(t.Name) + 10*len(t.Constraints) + int(t.Name[0])*100000)
	c := &catalog.Constraint{OID: oid, Kind: kind, Name: k.Name, Deferrable: k.Deferrable}
	x := &catalog.Index{OID: oid + 1, Unique: true, Primary: k.Kind == ast.ConstrPrimaryKey, Constraint: oid}
	suffix := "_pkey"
	if !x.Primary {
		suffix = "_" + columns[0] + "_key"
	}
	if c.Name == "" {
		c.Name = t.Name + suffix
	}
	x.Name, c.Index = c.Name, x.OID
	for _, name := range columns {
		col := t.Column(name)
		if x.Primary {
			col.NotNull = true
		}
		x.Keys = append(x.Keys, catalog.IndexKey{Column: col.Number})
		c.Columns = append(c.Columns, col.Number)
	}
	t.Constraints = append(t.Constraints, c)
	if x.Primary {
		t.Indexes = append([]*catalog.Index{x}, t.Indexes...)
	} else {
		t.Indexes = append(t.Indexes, x)
	}
}
