package parse

import (
	pg_query "github.com/pganalyze/pg_query_go/v5"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

func (c *converter) createTable(s *pg_query.CreateStmt) ast.Stmt {
	t := &ast.CreateTable{Table: c.rangeVar(s.Relation), IfNotExists: s.IfNotExists, Inherits: c.rangeVars(s.InhRelations),
		Temp: s.Relation.Relpersistence == "t", Unlogged: s.Relation.Relpersistence == "u",
		Partition: s.Partbound != nil || s.Partspec != nil, OnCommit: onCommit(s.Oncommit),
		Options: c.options(s.Options), Tablespace: s.Tablespacename}
	t.At = t.Table.At
	if s.OfTypename != nil {
		c.unsupported(s.OfTypename.Location, "CREATE TABLE OF a type")
	}
	c.accessMethod(s.AccessMethod)
	for _, n := range s.TableElts {
		switch e := n.Node.(type) {
		case *pg_query.Node_ColumnDef:
			t.Columns = append(t.Columns, c.columnDef(e.ColumnDef))
		case *pg_query.Node_Constraint:
			t.Constraints = append(t.Constraints, c.constraint(e.Constraint))
		case *pg_query.Node_TableLikeClause:
			like := &ast.Like_{Table: c.rangeVar(e.TableLikeClause.Relation), Options: e.TableLikeClause.Options}
			like.At = like.Table.At
			t.Likes = append(t.Likes, like)
		default:
			c.unsupported(-1, nodeName(n)+" in CREATE TABLE")
		}
	}
	for _, n := range s.Constraints {
		t.Constraints = append(t.Constraints, c.constraint(n.GetConstraint()))
	}
	return t
}

// accessMethod accepts the only one there is.
func (c *converter) accessMethod(name string) {
	if name != "" && name != "heap" {
		c.unsupported(-1, `table access method "`+name+`"`)
	}
}

func onCommit(a pg_query.OnCommitAction) string {
	switch a {
	case pg_query.OnCommitAction_ONCOMMIT_PRESERVE_ROWS:
		return "preserve rows"
	case pg_query.OnCommitAction_ONCOMMIT_DELETE_ROWS:
		return "delete rows"
	case pg_query.OnCommitAction_ONCOMMIT_DROP:
		return "drop"
	}
	return ""
}

// into makes the table of CREATE TABLE AS and SELECT INTO.
func (c *converter) into(i *pg_query.IntoClause, query ast.Stmt) *ast.CreateTable {
	t := &ast.CreateTable{Table: c.rangeVar(i.Rel), Query: query, QueryColumns: stringsOf(i.ColNames), WithNoData: i.SkipData,
		Temp: i.Rel.Relpersistence == "t", Unlogged: i.Rel.Relpersistence == "u",
		OnCommit: onCommit(i.OnCommit), Options: c.options(i.Options), Tablespace: i.TableSpaceName}
	t.At = t.Table.At
	c.accessMethod(i.AccessMethod)
	return t
}

func (c *converter) createTableAs(s *pg_query.CreateTableAsStmt) ast.Stmt {
	var query ast.Stmt
	if q := s.Query.GetSelectStmt(); q != nil {
		query = c.selectStmt(q) // in which INTO is not allowed
	} else {
		query = c.stmt(s.Query)
	}
	t := c.into(s.Into, query)
	t.IfNotExists = s.IfNotExists
	t.Materialized = s.Objtype == pg_query.ObjectType_OBJECT_MATVIEW
	return t
}

// selectInto gives the INTO clause of a query's leftmost SELECT, which it takes away, or nil.
func selectInto(s *pg_query.SelectStmt) *pg_query.IntoClause {
	for s.Larg != nil {
		s = s.Larg
	}
	into := s.IntoClause
	s.IntoClause = nil
	return into
}

func (c *converter) columnDef(d *pg_query.ColumnDef) *ast.ColumnDef {
	out := &ast.ColumnDef{At: c.at(d.Location), Name: d.Colname, Type: c.typeName(d.TypeName),
		Storage: d.StorageName, Compression: d.Compression}
	if d.CollClause != nil {
		out.Collation = stringsOf(d.CollClause.Collname)
	}
	if len(d.Fdwoptions) > 0 {
		c.unsupported(d.Location, "OPTIONS of a column")
	}
	out.Constraints = c.columnConstraints(d.Constraints)
	return out
}

// columnConstraints folds the DEFERRABLE and INITIALLY attributes, which the grammar gives as constraints of
// their own, into the constraint they follow.
func (c *converter) columnConstraints(nodes []*pg_query.Node) []*ast.Constraint {
	var out []*ast.Constraint
	var last *ast.Constraint // that may have attributes
	var deferrable, initially bool
	syntax := func(loc int32, message string) { c.fail(errs.New(errs.SyntaxError, "%s", message), int(loc)) }
	for _, n := range nodes {
		k := n.GetConstraint()
		if k == nil {
			if cl := n.GetCollateClause(); cl != nil {
				syntax(cl.Location, "multiple COLLATE clauses not allowed")
			}
			c.unsupported(-1, nodeName(n)+" in a column definition")
		}
		switch k.Contype {
		case pg_query.ConstrType_CONSTR_ATTR_DEFERRABLE, pg_query.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE:
			not := k.Contype == pg_query.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE
			switch {
			case last == nil && not:
				syntax(k.Location, "misplaced NOT DEFERRABLE clause")
			case last == nil:
				syntax(k.Location, "misplaced DEFERRABLE clause")
			case deferrable:
				syntax(k.Location, "multiple DEFERRABLE/NOT DEFERRABLE clauses not allowed")
			case not && last.InitiallyDeferred:
				syntax(k.Location, "constraint declared INITIALLY DEFERRED must be DEFERRABLE")
			}
			deferrable = true
			last.DeferrableSaid, last.Deferrable = true, !not
		case pg_query.ConstrType_CONSTR_ATTR_DEFERRED, pg_query.ConstrType_CONSTR_ATTR_IMMEDIATE:
			deferred := k.Contype == pg_query.ConstrType_CONSTR_ATTR_DEFERRED
			switch {
			case last == nil && deferred:
				syntax(k.Location, "misplaced INITIALLY DEFERRED clause")
			case last == nil:
				syntax(k.Location, "misplaced INITIALLY IMMEDIATE clause")
			case initially:
				syntax(k.Location, "multiple INITIALLY IMMEDIATE/DEFERRED clauses not allowed")
			case deferred && deferrable && !last.Deferrable:
				syntax(k.Location, "constraint declared INITIALLY DEFERRED must be DEFERRABLE")
			}
			initially = true
			if deferred {
				last.InitiallyDeferred, last.Deferrable = true, true
			}
		default:
			o := c.constraint(k)
			out = append(out, o)
			last, deferrable, initially = nil, false, false
			switch o.Kind {
			case ast.ConstrPrimaryKey, ast.ConstrUnique, ast.ConstrExclusion, ast.ConstrForeignKey:
				last = o
			}
		}
	}
	return out
}

func (c *converter) constraint(k *pg_query.Constraint) *ast.Constraint {
	out := &ast.Constraint{At: c.at(k.Location), Name: k.Conname, Columns: stringsOf(k.Keys), Include: stringsOf(k.Including),
		NoInherit: k.IsNoInherit, NullsNotDistinct: k.NullsNotDistinct, Deferrable: k.Deferrable, InitiallyDeferred: k.Initdeferred,
		DeferrableSaid: k.Deferrable, NotValid: k.SkipValidation, UsingIndex: k.Indexname}
	low := c.measure(func() { out.Expr = c.expr(k.RawExpr) })
	switch k.Contype {
	case pg_query.ConstrType_CONSTR_NULL:
		out.Kind = ast.ConstrNull
	case pg_query.ConstrType_CONSTR_NOTNULL:
		out.Kind = ast.ConstrNotNull
	case pg_query.ConstrType_CONSTR_DEFAULT:
		out.Kind = ast.ConstrDefault
		out.ExprText = c.after("default", low, endsDefault(c.statement.Text))
	case pg_query.ConstrType_CONSTR_CHECK:
		out.Kind = ast.ConstrCheck
		out.ExprText = c.parenthesised(out.At)
	case pg_query.ConstrType_CONSTR_PRIMARY, pg_query.ConstrType_CONSTR_UNIQUE:
		out.Kind = ast.ConstrPrimaryKey
		if k.Contype == pg_query.ConstrType_CONSTR_UNIQUE {
			out.Kind = ast.ConstrUnique
		}
		out.IndexOptions = c.options(k.Options)
		if k.Indexspace != "" {
			out.IndexOptions = append(out.IndexOptions, &ast.Option{At: -1, Name: "tablespace",
				Value: &ast.Literal{At: -1, Kind: ast.LitString, Value: k.Indexspace}})
		}
	case pg_query.ConstrType_CONSTR_IDENTITY:
		out.Kind, out.SequenceOptions = ast.ConstrIdentity, c.options(k.Options)
		out.Generated = generatedWhen(k.GeneratedWhen)
	case pg_query.ConstrType_CONSTR_GENERATED:
		out.Kind, out.Generated = ast.ConstrGenerated, generatedWhen(k.GeneratedWhen)
		out.ExprText = c.parenthesised(out.At)
	case pg_query.ConstrType_CONSTR_FOREIGN:
		out.Kind = ast.ConstrForeignKey
		out.Columns, out.RefColumns = stringsOf(k.FkAttrs), stringsOf(k.PkAttrs)
		out.RefTable = c.rangeVar(k.Pktable)
		out.OnDelete, out.OnUpdate = referentialAction(k.FkDelAction), referentialAction(k.FkUpdAction)
		out.OnDeleteColumns = stringsOf(k.FkDelSetCols)
		out.Match = map[string]string{"f": "full", "p": "partial"}[k.FkMatchtype]
		if out.Match == "" {
			out.Match = "simple"
		}
	case pg_query.ConstrType_CONSTR_EXCLUSION:
		out.Kind = ast.ConstrExclusion
	default:
		c.unsupported(k.Location, "this constraint")
	}
	return out
}

// endsDefault tells where the expression of a column's DEFAULT ends: at the first word that begins another
// constraint. The grammar allows no such word there outside parentheses, but for NULL as a value and for NOT
// in IS NOT DISTINCT FROM.
func endsDefault(text string) func(previous, t token) bool {
	return func(previous, t token) bool {
		if t.punct(text, ',') || t.punct(text, ';') {
			return true
		}
		for _, word := range [...]string{"check", "unique", "primary", "references", "default", "constraint",
			"collate", "generated", "deferrable", "initially", "not", "null"} {
			if t.is(text, word) {
				switch word {
				case "not":
					return !previous.is(text, "is")
				case "null":
					return previous.kind != tokenOperator && !previous.is(text, "from")
				}
				return true
			}
		}
		return false
	}
}

func generatedWhen(w string) string {
	if w == "d" {
		return "by default"
	}
	return "always"
}

func referentialAction(a string) string {
	switch a {
	case "r":
		return "restrict"
	case "c":
		return "cascade"
	case "n":
		return "set null"
	case "d":
		return "set default"
	}
	return "no action"
}

// indexElems converts the elements of an index or conflict target. at is a position before their list, from
// which the texts of their expressions are found: an element has no location of its own.
func (c *converter) indexElems(nodes []*pg_query.Node, at ast.At) []*ast.IndexElem {
	var out []*ast.IndexElem
	for _, n := range nodes {
		e := n.GetIndexElem()
		elem := &ast.IndexElem{At: -1, Column: e.Name, Expr: c.expr(e.Expr), Collation: stringsOf(e.Collation),
			OpClass: stringsOf(e.Opclass), Desc: e.Ordering == pg_query.SortByDir_SORTBY_DESC, NullsFirst: nullsFirst(e.NullsOrdering)}
		if len(e.Opclassopts) > 0 {
			c.unsupported(-1, "operator class parameters")
		}
		out = append(out, elem)
	}
	if at < 0 {
		return out
	}
	// Walk the list's tokens in step with the elements.
	tokens, text := c.lexed(), c.statement.Text
	i := c.tokenAt(int(at))
	for i < len(tokens) && !tokens[i].punct(text, '(') {
		i++
	}
	end := closing(text, tokens, i)
	for n := 0; n < len(out) && i+1 < end; n++ {
		i++
		first := i
		out[n].At = ast.At(tokens[first].start)
		if tokens[first].punct(text, '(') {
			i = closing(text, tokens, first)
			if out[n].Expr != nil && i <= end {
				out[n].ExprText = c.source(tokens[first].end, tokens[i].start)
			}
		} else if out[n].Expr != nil { // a call without parentheses around it
			for i < end && !tokens[i].punct(text, '(') {
				i++
			}
			if i = closing(text, tokens, i); i <= end && i < len(tokens) {
				out[n].ExprText = c.source(tokens[first].start, tokens[i].end)
			}
		}
		for i < end && !tokens[i].punct(text, ',') {
			i++
		}
	}
	return out
}

func (c *converter) createIndex(s *pg_query.IndexStmt) ast.Stmt {
	x := &ast.CreateIndex{Name: s.Idxname, Table: c.rangeVar(s.Relation), Method: s.AccessMethod, Unique: s.Unique,
		Concurrently: s.Concurrent, IfNotExists: s.IfNotExists, NullsNotDistinct: s.NullsNotDistinct, Only: !s.Relation.Inh,
		Options: c.options(s.Options), Tablespace: s.TableSpace}
	x.At = x.Table.At
	x.Elems = c.indexElems(s.IndexParams, x.Table.At)
	for _, n := range s.IndexIncludingParams {
		e := n.GetIndexElem()
		if e.Expr != nil {
			c.unsupported(-1, "an expression in INCLUDE")
		}
		x.Include = append(x.Include, e.Name)
	}
	low := c.measure(func() { x.Where = c.expr(s.WhereClause) })
	if x.Where != nil {
		x.WhereText = c.after("where", low, func(_, t token) bool { return t.punct(c.statement.Text, ';') })
	}
	return x
}

func (c *converter) createView(s *pg_query.ViewStmt) ast.Stmt {
	v := &ast.CreateView{View: c.rangeVar(s.View), Columns: stringsOf(s.Aliases), Query: c.query(s.Query), OrReplace: s.Replace,
		Temp: s.View.Relpersistence == "t", Options: c.options(s.Options)}
	v.At = v.View.At
	switch s.WithCheckOption {
	case pg_query.ViewCheckOption_LOCAL_CHECK_OPTION:
		v.CheckOption = "local"
	case pg_query.ViewCheckOption_CASCADED_CHECK_OPTION:
		v.CheckOption = "cascaded"
	}
	tokens, text := c.lexed(), c.statement.Text
	i := c.tokenAt(int(v.View.At))
	for _, t := range tokens[:i] {
		if t.is(text, "recursive") {
			// The grammar has already made WITH RECURSIVE of it; the written query would not stand alone.
			v.Recursive = true
			v.QueryText = ast.FormatStatement(v.Query)
			return v
		}
	}
	depth, start, end := 0, 0, len(text)
	for ; i < len(tokens); i++ {
		t := tokens[i]
		switch {
		case t.punct(text, '('):
			depth++
		case t.punct(text, ')'):
			depth--
		case depth > 0:
		case start == 0 && t.is(text, "as"):
			start = t.end
		case start > 0 && v.CheckOption != "" && t.is(text, "with"):
			end = t.start // the last one counts: the query may begin with WITH
		}
	}
	v.QueryText = c.source(start, end)
	return v
}

func (c *converter) createSequence(s *pg_query.CreateSeqStmt) ast.Stmt {
	q := &ast.CreateSequence{Sequence: c.rangeVar(s.Sequence), IfNotExists: s.IfNotExists,
		Temp: s.Sequence.Relpersistence == "t", Options: c.options(s.Options)}
	q.At = q.Sequence.At
	return q
}

func (c *converter) alterSequence(s *pg_query.AlterSeqStmt) ast.Stmt {
	q := &ast.AlterSequence{Sequence: c.rangeVar(s.Sequence), IfExists: s.MissingOk, Options: c.options(s.Options)}
	q.At = q.Sequence.At
	return q
}

func (c *converter) createSchema(s *pg_query.CreateSchemaStmt) ast.Stmt {
	out := &ast.CreateSchema{At: -1, Name: s.Schemaname, IfNotExists: s.IfNotExists}
	if s.Authrole != nil {
		out.Owner = role(s.Authrole)
	}
	for _, n := range s.SchemaElts {
		out.Elements = append(out.Elements, c.stmt(n))
	}
	return out
}

func (c *converter) createDomain(s *pg_query.CreateDomainStmt) ast.Stmt {
	d := &ast.CreateDomain{At: -1, Domain: c.tableName(stringsOf(s.Domainname), -1), Type: c.typeName(s.TypeName)}
	if s.CollClause != nil {
		d.Collation = stringsOf(s.CollClause.Collname)
	}
	for _, n := range s.Constraints {
		d.Constraints = append(d.Constraints, c.constraint(n.GetConstraint()))
	}
	return d
}

func (c *converter) createComposite(s *pg_query.CompositeTypeStmt) ast.Stmt {
	t := &ast.CreateComposite{Type: c.rangeVar(s.Typevar)}
	t.At = t.Type.At
	for _, n := range s.Coldeflist {
		t.Columns = append(t.Columns, c.columnDef(n.GetColumnDef()))
	}
	return t
}
