package ast

import "strings"

func (p *printer) stmt(s Stmt) {
	switch s := s.(type) {
	case *Select:
		p.selectStmt(s)
	case *Insert:
		p.insert(s)
	case *Update:
		p.update(s)
	case *Delete:
		p.delete(s)
	case *Truncate:
		p.s("TRUNCATE ")
		list(p, s.Tables, p.tableRef)
		p.when(s.RestartIdentity, " RESTART IDENTITY")
		p.when(s.Cascade, " CASCADE")
	case *CreateSchema:
		p.s("CREATE SCHEMA")
		p.when(s.IfNotExists, " IF NOT EXISTS")
		if s.Name != "" {
			p.s(" ")
			p.ident(s.Name)
		}
		if s.Owner != "" {
			p.s(" AUTHORIZATION ")
			p.role(s.Owner)
		}
		for _, e := range s.Elements {
			p.s(" ")
			p.stmt(e)
		}
	case *CreateTable:
		p.createTable(s)
	case *CreateIndex:
		p.createIndex(s)
	case *CreateView:
		p.createView(s)
	case *CreateSequence:
		p.s("CREATE ")
		p.when(s.Temp, "TEMPORARY ")
		p.s("SEQUENCE ")
		p.when(s.IfNotExists, "IF NOT EXISTS ")
		p.table(s.Sequence)
		p.sequenceOptions(s.Options)
	case *AlterSequence:
		p.s("ALTER SEQUENCE ")
		p.when(s.IfExists, "IF EXISTS ")
		p.table(s.Sequence)
		p.sequenceOptions(s.Options)
	case *CreateEnum:
		p.s("CREATE TYPE ")
		p.table(s.Type)
		p.s(" AS ENUM (")
		list(p, s.Labels, func(l string) { p.s(QuoteLiteral(l)) })
		p.s(")")
	case *AlterEnum:
		p.s("ALTER TYPE ")
		p.table(s.Type)
		if s.OldLabel != "" {
			p.s(" RENAME VALUE ", QuoteLiteral(s.OldLabel), " TO ", QuoteLiteral(s.Label))
			return
		}
		p.s(" ADD VALUE ")
		p.when(s.IfNotExists, "IF NOT EXISTS ")
		p.s(QuoteLiteral(s.Label))
		if s.Neighbor != "" {
			p.s(map[bool]string{true: " AFTER ", false: " BEFORE "}[s.After], QuoteLiteral(s.Neighbor))
		}
	case *CreateComposite:
		p.s("CREATE TYPE ")
		p.table(s.Type)
		p.s(" AS (")
		list(p, s.Columns, p.columnDef)
		p.s(")")
	case *CreateDomain:
		p.s("CREATE DOMAIN ")
		p.table(s.Domain)
		p.s(" AS ")
		p.typeName(s.Type)
		p.collation(s.Collation)
		for _, k := range s.Constraints {
			p.s(" ")
			p.constraint(k, true)
		}
	case *RefreshView:
		p.s("REFRESH MATERIALIZED VIEW ")
		p.when(s.Concurrently, "CONCURRENTLY ")
		p.table(s.View)
		p.when(s.WithNoData, " WITH NO DATA")
	case *CreateAssertion:
		p.s("CREATE ASSERTION ")
		p.when(s.IfNotExists, "IF NOT EXISTS ")
		p.table(s.Name)
		p.s(" CHECK (")
		p.expr(s.Condition)
		p.s(")")
		p.when(s.Deferrable, " DEFERRABLE")
		p.when(s.InitiallyDeferred, " INITIALLY DEFERRED")
		p.when(s.NotValid, " NOT VALID")
		p.when(s.NotEnforced, " NOT ENFORCED")
	case *AlterAssertion:
		p.s("ALTER ASSERTION ")
		p.when(s.IfExists, "IF EXISTS ")
		p.table(s.Name)
		p.s(" ", strings.ToUpper(s.Action))
		switch s.Action {
		case "rename", "owner":
			p.s(" TO ")
			p.ident(s.Arg)
		case "set schema":
			p.s(" ")
			p.ident(s.Arg)
		}
		p.when(s.InitiallyDeferred, " INITIALLY DEFERRED")
	case *Drop:
		p.s("DROP ", strings.ToUpper(string(s.Kind)), " ")
		p.when(s.Concurrently, "CONCURRENTLY ")
		p.when(s.IfExists, "IF EXISTS ")
		p.tables(s.Names)
		if s.On != nil {
			p.s(" ON ")
			p.table(s.On)
		}
		p.when(s.Cascade, " CASCADE")
	case *AlterTable:
		p.s("ALTER ", strings.ToUpper(string(s.Kind)), " ")
		p.when(s.IfExists, "IF EXISTS ")
		p.when(s.Only, "ONLY ")
		p.table(s.Table)
		p.s(" ")
		list(p, s.Commands, p.alterCommand)
	case *Rename:
		p.rename(s)
	case *AlterSetSchema:
		p.s("ALTER ", strings.ToUpper(string(s.Kind)), " ")
		p.when(s.IfExists, "IF EXISTS ")
		p.table(s.Name)
		p.s(" SET SCHEMA ")
		p.ident(s.NewSchema)
	case *AlterOwner:
		p.s("ALTER ", strings.ToUpper(string(s.Kind)), " ")
		p.table(s.Name)
		p.s(" OWNER TO ")
		p.role(s.Owner)
	case *Comment:
		p.comment(s)
	default:
		p.utility(s)
	}
}

// role writes a role; the session's roles are keywords.
func (p *printer) role(name string) {
	switch name {
	case "current_role", "current_user", "session_user":
		p.s(strings.ToUpper(name))
	default:
		p.ident(name)
	}
}

func (p *printer) createTable(t *CreateTable) {
	p.s("CREATE ")
	p.when(t.Temp, "TEMPORARY ")
	p.when(t.Unlogged, "UNLOGGED ")
	p.when(t.Materialized, "MATERIALIZED VIEW ")
	p.when(!t.Materialized, "TABLE ")
	p.when(t.IfNotExists, "IF NOT EXISTS ")
	p.table(t.Table)
	if t.Query != nil {
		p.columns(t.QueryColumns)
	} else {
		p.s(" (")
		first := true
		next := func() {
			p.when(!first, ", ")
			first = false
		}
		for _, c := range t.Columns {
			next()
			p.columnDef(c)
		}
		for _, l := range t.Likes {
			next()
			p.s("LIKE ")
			p.table(l.Table)
			p.likeOptions(l.Options)
		}
		for _, k := range t.Constraints {
			next()
			p.constraint(k, false)
		}
		p.s(")")
		if t.Inherits != nil {
			p.s(" INHERITS (")
			p.tables(t.Inherits)
			p.s(")")
		}
	}
	p.storageOptions(" WITH", t.Options)
	p.when(t.OnCommit != "", " ON COMMIT "+strings.ToUpper(t.OnCommit))
	p.tablespace(t.Tablespace)
	if t.Query != nil {
		p.s(" AS ")
		p.stmt(t.Query)
		p.when(t.WithNoData, " WITH NO DATA")
	}
}

func (p *printer) tablespace(name string) {
	if name != "" {
		p.s(" TABLESPACE ")
		p.ident(name)
	}
}

// likeOptions writes the options of LIKE from PostgreSQL's bits.
func (p *printer) likeOptions(bits uint32) {
	if bits == 0x7fffffff {
		p.s(" INCLUDING ALL")
		return
	}
	for i, name := range [...]string{"COMMENTS", "COMPRESSION", "CONSTRAINTS", "DEFAULTS", "GENERATED", "IDENTITY", "INDEXES",
		"STATISTICS", "STORAGE"} {
		p.when(bits&(1<<i) != 0, " INCLUDING "+name)
	}
}

func (p *printer) collation(name []string) {
	if name != nil {
		p.s(" COLLATE ")
		p.idents(name, ".")
	}
}

func (p *printer) columnDef(c *ColumnDef) {
	p.ident(c.Name)
	if c.Type != nil {
		p.s(" ")
		p.typeName(c.Type)
	}
	if c.Storage != "" {
		p.s(" STORAGE ")
		p.ident(c.Storage)
	}
	if c.Compression != "" {
		p.s(" COMPRESSION ")
		p.ident(c.Compression)
	}
	p.collation(c.Collation)
	for _, k := range c.Constraints {
		p.s(" ")
		p.constraint(k, true)
	}
}

func (p *printer) constraint(k *Constraint, ofColumn bool) {
	if k.Name != "" {
		p.s("CONSTRAINT ")
		p.ident(k.Name)
		p.s(" ")
	}
	switch k.Kind {
	case ConstrNull:
		p.s("NULL")
	case ConstrNotNull:
		p.s("NOT NULL")
	case ConstrDefault:
		p.s("DEFAULT (")
		p.expr(k.Expr)
		p.s(")")
	case ConstrCheck:
		p.s("CHECK (")
		p.expr(k.Expr)
		p.s(")")
	case ConstrPrimaryKey, ConstrUnique:
		p.s(map[ConstraintKind]string{ConstrPrimaryKey: "PRIMARY KEY", ConstrUnique: "UNIQUE"}[k.Kind])
		p.when(k.NullsNotDistinct, " NULLS NOT DISTINCT")
		if k.UsingIndex != "" {
			p.s(" USING INDEX ")
			p.ident(k.UsingIndex)
		}
		p.columns(k.Columns)
		if k.Include != nil {
			p.s(" INCLUDE")
			p.columns(k.Include)
		}
		tablespace := ""
		var options []*Option
		for _, o := range k.IndexOptions {
			if l, ok := o.Value.(*Literal); ok && o.Name == "tablespace" {
				tablespace = l.Value
			} else {
				options = append(options, o)
			}
		}
		p.storageOptions(" WITH", options)
		if tablespace != "" {
			p.s(" USING INDEX")
			p.tablespace(tablespace)
		}
	case ConstrIdentity:
		p.s("GENERATED ", strings.ToUpper(k.Generated), " AS IDENTITY")
		if k.SequenceOptions != nil {
			p.s(" (")
			p.sequenceOptions(k.SequenceOptions)
			p.s(")")
		}
	case ConstrGenerated:
		p.s("GENERATED ", strings.ToUpper(k.Generated), " AS (")
		p.expr(k.Expr)
		p.s(") STORED")
	case ConstrForeignKey:
		if !ofColumn {
			p.s("FOREIGN KEY")
			p.columns(k.Columns)
			p.s(" ")
		}
		p.s("REFERENCES ")
		p.table(k.RefTable)
		p.columns(k.RefColumns)
		p.when(k.Match != "" && k.Match != "simple", " MATCH "+strings.ToUpper(k.Match))
		if k.OnDelete != "" && k.OnDelete != "no action" {
			p.s(" ON DELETE ", strings.ToUpper(k.OnDelete))
			p.columns(k.OnDeleteColumns)
		}
		p.when(k.OnUpdate != "" && k.OnUpdate != "no action", " ON UPDATE "+strings.ToUpper(k.OnUpdate))
	}
	p.when(k.NoInherit, " NO INHERIT")
	p.deferral(k)
	p.when(k.NotValid, " NOT VALID")
}

func (p *printer) deferral(k *Constraint) {
	p.when(k.DeferrableSaid && !k.Deferrable, " NOT DEFERRABLE")
	p.when(k.DeferrableSaid && k.Deferrable, " DEFERRABLE")
	p.when(k.InitiallyDeferred, " INITIALLY DEFERRED")
}

func (p *printer) createIndex(x *CreateIndex) {
	p.s("CREATE ")
	p.when(x.Unique, "UNIQUE ")
	p.s("INDEX ")
	p.when(x.Concurrently, "CONCURRENTLY ")
	p.when(x.IfNotExists, "IF NOT EXISTS ")
	if x.Name != "" {
		p.ident(x.Name)
		p.s(" ")
	}
	p.s("ON ")
	p.when(x.Only, "ONLY ")
	p.table(x.Table)
	if x.Method != "" {
		p.s(" USING ")
		p.ident(x.Method)
	}
	p.s(" (")
	list(p, x.Elems, p.indexElem)
	p.s(")")
	if x.Include != nil {
		p.s(" INCLUDE")
		p.columns(x.Include)
	}
	p.when(x.NullsNotDistinct, " NULLS NOT DISTINCT")
	p.storageOptions(" WITH", x.Options)
	p.tablespace(x.Tablespace)
	p.where(x.Where)
}

func (p *printer) indexElem(e *IndexElem) {
	if e.Expr != nil {
		p.s("(")
		p.expr(e.Expr)
		p.s(")")
	} else {
		p.ident(e.Column)
	}
	p.collation(e.Collation)
	if e.OpClass != nil {
		p.s(" ")
		p.idents(e.OpClass, ".")
	}
	p.when(e.Desc, " DESC")
	p.nulls(e.NullsFirst)
}

func (p *printer) createView(v *CreateView) {
	p.s("CREATE ")
	p.when(v.OrReplace, "OR REPLACE ")
	p.when(v.Temp, "TEMPORARY ")
	recursive := v.Recursive && v.Query.With != nil && len(v.Query.With.CTEs) == 1 && len(v.Columns) > 0
	p.when(recursive, "RECURSIVE ")
	p.s("VIEW ")
	p.table(v.View)
	p.columns(v.Columns)
	p.storageOptions(" WITH", v.Options)
	p.s(" AS ")
	if recursive { // what was written is the one query of WITH
		p.stmt(v.Query.With.CTEs[0].Stmt)
	} else {
		p.selectStmt(v.Query)
	}
	p.when(v.CheckOption != "", " WITH "+strings.ToUpper(v.CheckOption)+" CHECK OPTION")
}

// storageOptions writes (name = value, ..) after keyword, if there are any.
func (p *printer) storageOptions(keyword string, options []*Option) {
	if len(options) == 0 {
		return
	}
	p.s(keyword, " (")
	list(p, options, func(o *Option) {
		p.idents(strings.SplitN(o.Name, ".", 2), ".")
		switch {
		case o.Value != nil:
			p.s(" = ")
			p.expr(o.Value)
		case o.List != nil: // an operator, which no option takes
			p.s(" = ", strings.Join(o.List, "."))
		}
	})
	p.s(")")
}

func (p *printer) sequenceOptions(options []*Option) {
	for _, o := range options {
		value := func(with, without string) {
			if o.Value == nil {
				p.s(without)
				return
			}
			p.s(with)
			p.expr(o.Value)
		}
		p.s(" ")
		switch o.Name {
		case "as":
			p.s("AS ")
			p.typeName(&TypeName{Names: o.List})
		case "increment":
			value("INCREMENT BY ", "")
		case "minvalue":
			value("MINVALUE ", "NO MINVALUE")
		case "maxvalue":
			value("MAXVALUE ", "NO MAXVALUE")
		case "start":
			value("START WITH ", "")
		case "restart":
			value("RESTART WITH ", "RESTART")
		case "cache":
			value("CACHE ", "")
		case "cycle":
			l, ok := o.Value.(*Literal)
			p.when(ok && l.Value == "f", "NO ")
			p.s("CYCLE")
		case "owned_by":
			p.s("OWNED BY ")
			if len(o.List) == 1 && o.List[0] == "none" {
				p.s("NONE")
			} else {
				p.idents(o.List, ".")
			}
		case "sequence_name":
			p.s("SEQUENCE NAME ")
			p.idents(o.List, ".")
		}
	}
}

func (p *printer) alterCommand(a *AlterCommand) {
	column := func(rest ...string) {
		p.s("ALTER COLUMN ")
		p.ident(a.Name)
		p.s(rest...)
	}
	name := func(verb string) {
		p.s(verb, " ")
		p.when(a.IfExists, "IF EXISTS ")
		p.ident(a.Name)
		p.when(a.Cascade, " CASCADE")
	}
	switch a.Kind {
	case AddColumn:
		p.s("ADD COLUMN ")
		p.when(a.IfNotExists, "IF NOT EXISTS ")
		p.columnDef(a.Column)
	case DropColumn:
		name("DROP COLUMN")
	case SetDefault:
		if a.Expr == nil {
			column(" DROP DEFAULT")
			return
		}
		column(" SET DEFAULT ")
		p.operand(a.Expr)
	case SetNotNull:
		column(" SET NOT NULL")
	case DropNotNull:
		column(" DROP NOT NULL")
	case AlterType:
		column(" TYPE ")
		p.typeName(a.Column.Type)
		p.collation(a.Column.Collation)
		if a.Expr != nil {
			p.s(" USING ")
			p.operand(a.Expr)
		}
	case AddConstraint:
		p.s("ADD ")
		p.constraint(a.Constraint, false)
	case DropConstraint:
		name("DROP CONSTRAINT")
	case ValidateConstraint:
		name("VALIDATE CONSTRAINT")
	case AlterConstraint:
		name("ALTER CONSTRAINT")
		p.deferral(a.Constraint)
		p.when(!a.Constraint.Deferrable, " NOT DEFERRABLE")
	case AddIdentity:
		column(" ADD ")
		p.constraint(a.Constraint, true)
	case SetIdentity:
		column()
		p.when(a.Generated != "", " SET GENERATED "+strings.ToUpper(a.Generated))
		for _, o := range a.Options {
			if o.Name != "restart" {
				p.s(" SET")
			}
			p.sequenceOptions([]*Option{o})
		}
	case DropIdentity, DropExpression:
		column(map[AlterKind]string{DropIdentity: " DROP IDENTITY", DropExpression: " DROP EXPRESSION"}[a.Kind])
		p.when(a.IfExists, " IF EXISTS")
	case ChangeOwner:
		p.s("OWNER TO ")
		p.role(a.NewName)
	case SetStatistics:
		if len(a.Options) > 1 {
			p.s("ALTER COLUMN ")
			p.expr(a.Options[1].Value)
		} else {
			column()
		}
		p.s(" SET STATISTICS ")
		p.expr(a.Options[0].Value)
	case SetOptions, ResetOptions:
		if a.Name != "" {
			column(" ")
		}
		p.storageOptions(map[AlterKind]string{SetOptions: "SET", ResetOptions: "RESET"}[a.Kind], a.Options)
	case SetStorage:
		column(" SET STORAGE ")
		p.ident(a.NewName)
	case EnableTrigger, DisableTrigger:
		p.s(map[AlterKind]string{EnableTrigger: "ENABLE TRIGGER ", DisableTrigger: "DISABLE TRIGGER "}[a.Kind])
		if a.Name == "" {
			p.s(strings.ToUpper(a.What))
		} else {
			p.ident(a.Name)
		}
	case ReplicaIdentity:
		p.s("REPLICA IDENTITY ")
		if a.What == "index" {
			p.s("USING INDEX ")
			p.ident(a.NewName)
		} else {
			p.s(strings.ToUpper(a.What))
		}
	}
}

func (p *printer) rename(r *Rename) {
	kind := r.Kind
	switch kind {
	case ObjColumn, ObjConstraint:
		kind = r.Relation
	case ObjTrigger, ObjRule, ObjPolicy:
		p.s("ALTER ", strings.ToUpper(string(kind)), " ")
		p.when(r.IfExists, "IF EXISTS ")
		p.ident(r.Name)
		p.s(" ON ")
		p.table(r.Table)
		p.s(" RENAME TO ")
		p.ident(r.NewName)
		return
	}
	p.s("ALTER ", strings.ToUpper(string(kind)), " ")
	p.when(r.IfExists, "IF EXISTS ")
	p.table(r.Table)
	p.s(" RENAME ")
	switch r.Kind {
	case ObjColumn:
		p.s("COLUMN ")
		p.ident(r.Name)
		p.s(" ")
	case ObjConstraint:
		p.s("CONSTRAINT ")
		p.ident(r.Name)
		p.s(" ")
	}
	p.s("TO ")
	p.ident(r.NewName)
}

func (p *printer) comment(c *Comment) {
	p.s("COMMENT ON ", strings.ToUpper(string(c.Kind)), " ")
	switch c.Kind {
	case ObjColumn:
		p.table(c.Name)
		p.s(".")
		p.ident(c.Column)
	case ObjConstraint, ObjTrigger, ObjRule, ObjPolicy:
		p.ident(c.Column)
		p.s(" ON ")
		p.table(c.Name)
	default:
		p.table(c.Name)
	}
	p.s(" IS ")
	if c.Text == nil {
		p.s("NULL")
	} else {
		p.s(QuoteLiteral(*c.Text))
	}
}
