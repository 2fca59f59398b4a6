package ast

import (
	"strconv"
	"strings"
)

func (p *printer) utility(s Stmt) {
	switch s := s.(type) {
	case *Copy:
		p.copy(s)
	case *Explain:
		p.explain(s)
	case *Transaction:
		p.transaction(s)
	case *SetTransaction:
		switch {
		case s.Snapshot != "":
			p.s("SET TRANSACTION SNAPSHOT ", QuoteLiteral(s.Snapshot))
			return
		case s.Session:
			p.s("SET SESSION CHARACTERISTICS AS TRANSACTION")
		default:
			p.s("SET TRANSACTION")
		}
		p.modes(s.Modes)
	case *Set:
		p.set(s)
	case *Show:
		p.s("SHOW ")
		p.setting(s.Name)
	case *SetConstraints:
		p.s("SET CONSTRAINTS ")
		p.when(s.Names == nil, "ALL")
		p.tables(s.Names)
		p.s(map[bool]string{true: " DEFERRED", false: " IMMEDIATE"}[s.Deferred])
	case *Prepare:
		p.s("PREPARE ")
		p.ident(s.Name)
		if s.Types != nil {
			p.s(" (")
			list(p, s.Types, p.typeName)
			p.s(")")
		}
		p.s(" AS ")
		p.stmt(s.Stmt)
	case *Execute:
		p.s("EXECUTE ")
		p.ident(s.Name)
		if s.Args != nil {
			p.s(" (")
			p.exprs(s.Args)
			p.s(")")
		}
	case *Deallocate:
		p.s("DEALLOCATE ")
		p.nameOr(s.Name, "ALL")
	case *DeclareCursor:
		p.s("DECLARE ")
		p.ident(s.Name)
		p.when(s.Binary, " BINARY")
		p.when(s.Insensitive, " INSENSITIVE")
		p.when(s.NoScroll, " NO SCROLL")
		p.when(s.Scroll, " SCROLL")
		p.s(" CURSOR ")
		p.when(s.Hold, "WITH HOLD ")
		p.s("FOR ")
		p.selectStmt(s.Query)
	case *Fetch:
		p.s(map[bool]string{true: "MOVE ", false: "FETCH "}[s.Move], strings.ToUpper(s.Direction), " ")
		if s.All {
			p.s("ALL")
		} else {
			p.s(strconv.FormatInt(s.Count, 10))
		}
		p.s(" FROM ")
		p.ident(s.Cursor)
	case *CloseCursor:
		p.s("CLOSE ")
		p.nameOr(s.Name, "ALL")
	case *Discard:
		p.s("DISCARD ", strings.ToUpper(s.Kind))
	case *Lock:
		p.s("LOCK TABLE ")
		list(p, s.Tables, p.tableRef)
		p.s(" IN ", strings.ToUpper(s.Mode), " MODE")
		p.when(s.NoWait, " NOWAIT")
	case *Vacuum:
		p.s(map[bool]string{true: "ANALYZE", false: "VACUUM"}[s.Analyze])
		p.genericOptions(" ", s.Options)
		for i, t := range s.Tables {
			p.when(i > 0, ",")
			p.s(" ")
			p.table(t)
			p.columns(s.Columns[i])
		}
	case *Checkpoint:
		p.s("CHECKPOINT")
	case *Listen:
		p.s("LISTEN ")
		p.ident(s.Channel)
	case *Unlisten:
		p.s("UNLISTEN ")
		p.nameOr(s.Channel, "*")
	case *Notify:
		p.s("NOTIFY ")
		p.ident(s.Channel)
		if s.Payload != "" {
			p.s(", ", QuoteLiteral(s.Payload))
		}
	case *Do:
		p.s("DO ", QuoteLiteral(s.Body))
		if s.Language != "" {
			p.s(" LANGUAGE ")
			p.ident(s.Language)
		}
	case *Reindex:
		p.s("REINDEX")
		p.genericOptions(" ", s.Options)
		p.s(" ", strings.ToUpper(s.Kind))
		if s.Name.Name != "" {
			p.s(" ")
			p.table(s.Name)
		}
	case *CreateRole:
		p.s("CREATE ", map[bool]string{true: "USER ", false: "ROLE "}[s.User])
		p.ident(s.Name)
		p.roleOptions(s.Options)
	case *AlterRole:
		p.s("ALTER ROLE ")
		p.role(s.Name)
		for _, o := range s.Options {
			if o.Name == "rolemembers" {
				p.s(" USER ")
				p.idents(o.List, ", ")
			} else {
				p.roleOptions([]*Option{o})
			}
		}
	case *CreateExtension:
		p.s("CREATE EXTENSION ")
		p.when(s.IfNotExists, "IF NOT EXISTS ")
		p.ident(s.Name)
	}
}

func (p *printer) nameOr(name, otherwise string) {
	if name == "" {
		p.s(otherwise)
	} else {
		p.ident(name)
	}
}

func (p *printer) copy(c *Copy) {
	p.s("COPY ")
	if c.Query != nil {
		p.s("(")
		p.stmt(c.Query)
		p.s(")")
	} else {
		p.table(c.Table)
		p.columns(c.Columns)
	}
	p.s(map[bool]string{true: " FROM ", false: " TO "}[c.From])
	p.when(c.Program, "PROGRAM ")
	switch {
	case c.Filename != "" || c.Program:
		p.s(QuoteLiteral(c.Filename))
	case c.From:
		p.s("STDIN")
	default:
		p.s("STDOUT")
	}
	p.genericOptions(" WITH ", c.Options)
	p.where(c.Where)
}

// genericOptions writes (name value, ..) if there are any.
func (p *printer) genericOptions(before string, options []*Option) {
	if len(options) == 0 {
		return
	}
	p.s(before, "(")
	list(p, options, func(o *Option) {
		p.ident(o.Name)
		switch {
		case o.Star:
			p.s(" *")
		case o.Value != nil:
			p.s(" ")
			p.expr(o.Value)
		case o.List != nil:
			p.columns(o.List)
		}
	})
	p.s(")")
}

func (p *printer) explain(e *Explain) {
	p.s("EXPLAIN ")
	if len(e.Options) > 0 {
		p.genericOptions("", e.Options)
		p.s(" ")
	}
	if e.Assertion == nil {
		p.stmt(e.Stmt)
		return
	}
	p.s("ASSERTION ")
	p.table(e.Assertion)
	if e.Event != "" {
		p.s(" FOR ", strings.ToUpper(e.Event))
		if e.EventColumn != "" {
			p.s(" OF ")
			p.ident(e.EventColumn)
		}
		p.s(" ON ")
		p.table(e.EventTable)
	}
}

func (p *printer) transaction(t *Transaction) {
	switch t.Kind {
	case "begin":
		p.s(map[bool]string{true: "START TRANSACTION", false: "BEGIN"}[t.Start])
		p.modes(t.Modes)
	case "commit", "rollback":
		p.s(strings.ToUpper(t.Kind))
		p.when(t.Chain, " AND CHAIN")
	case "prepare":
		p.s("PREPARE TRANSACTION ", QuoteLiteral(t.Name))
	case "commit prepared", "rollback prepared":
		p.s(strings.ToUpper(t.Kind), " ", QuoteLiteral(t.Name))
	default:
		p.s(strings.ToUpper(t.Kind), " ")
		p.ident(t.Name)
	}
}

func (p *printer) modes(m TransactionModes) {
	p.when(m.Isolation != "", " ISOLATION LEVEL "+strings.ToUpper(m.Isolation))
	if m.ReadOnly != nil {
		p.s(map[bool]string{true: " READ ONLY", false: " READ WRITE"}[*m.ReadOnly])
	}
	if m.Deferrable != nil {
		p.s(" ")
		p.not(!*m.Deferrable)
		p.s("DEFERRABLE")
	}
}

// setting writes the name of a setting, which may have a dot in it.
func (p *printer) setting(name string) { p.idents(strings.Split(name, "."), ".") }

func (p *printer) set(s *Set) {
	switch {
	case s.Reset && s.Name == "":
		p.s("RESET ALL")
		return
	case s.Reset:
		p.s("RESET ")
		p.setting(s.Name)
		return
	}
	p.s("SET ")
	p.when(s.Local, "LOCAL ")
	if len(s.Values) == 1 && s.Name == "timezone" {
		if c, ok := s.Values[0].(*Cast); ok {
			// The only place where a setting is not a constant; it takes the form type 'literal' alone.
			p.s("TIME ZONE interval ")
			precision := func() {
				if len(c.Type.Mods) > 0 {
					p.s("(")
					p.exprs(c.Type.Mods)
					p.s(") ")
				}
			}
			if c.Type.Interval == 0 {
				precision()
			}
			p.expr(c.Arg)
			if c.Type.Interval != 0 {
				p.s(intervalFields[c.Type.Interval])
				precision()
			}
			return
		}
	}
	p.setting(s.Name)
	p.s(" TO ")
	if s.Default {
		p.s("DEFAULT")
		return
	}
	p.exprs(s.Values)
}

// roleFlags are the options of a role that are one word, or that word after NO.
var roleFlags = map[string]string{"superuser": "SUPERUSER", "createrole": "CREATEROLE", "createdb": "CREATEDB", "canlogin": "LOGIN",
	"inherit": "INHERIT", "isreplication": "REPLICATION", "bypassrls": "BYPASSRLS"}

func (p *printer) roleOptions(options []*Option) {
	for _, o := range options {
		l, _ := o.Value.(*Literal)
		switch flag, ok := roleFlags[o.Name]; {
		case ok && l != nil:
			p.s(" ")
			p.when(l.Value == "f", "NO")
			p.s(flag)
		case o.Name == "password":
			p.s(" PASSWORD ")
			if l == nil {
				p.s("NULL")
			} else {
				p.literal(l)
			}
		case o.Name == "connectionlimit" && l != nil:
			p.s(" CONNECTION LIMIT ")
			p.literal(l)
		case o.Name == "validUntil" && l != nil:
			p.s(" VALID UNTIL ")
			p.literal(l)
		case o.Name == "addroleto", o.Name == "rolemembers", o.Name == "adminmembers":
			p.s(map[string]string{"addroleto": " IN ROLE ", "rolemembers": " ROLE ", "adminmembers": " ADMIN "}[o.Name])
			p.idents(o.List, ", ")
		}
	}
}
