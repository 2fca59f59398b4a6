package parse

import (
	"fmt"
	"math"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"holdfast/sql/ast"
	"holdfast/sql/errs"
)

// stmt converts a statement. One that the tree has no node for becomes Unsupported.
func (c *converter) stmt(node *pg_query.Node) ast.Stmt {
	c.enter()
	defer c.leave()
	switch n := node.GetNode().(type) {
	case *pg_query.Node_SelectStmt:
		if into := selectInto(n.SelectStmt); into != nil {
			return c.into(into, c.selectStmt(n.SelectStmt))
		}
		return c.selectStmt(n.SelectStmt)
	case *pg_query.Node_InsertStmt:
		return c.insert(n.InsertStmt)
	case *pg_query.Node_UpdateStmt:
		return c.update(n.UpdateStmt)
	case *pg_query.Node_DeleteStmt:
		return c.delete(n.DeleteStmt)
	case *pg_query.Node_MergeStmt:
		return &ast.Merge{At: c.at(n.MergeStmt.GetRelation().GetLocation())}
	case *pg_query.Node_TruncateStmt:
		t := &ast.Truncate{At: -1, RestartIdentity: n.TruncateStmt.RestartSeqs,
			Cascade: n.TruncateStmt.Behavior == pg_query.DropBehavior_DROP_CASCADE}
		for _, r := range n.TruncateStmt.Relations {
			t.Tables = append(t.Tables, c.tableRef(r.GetRangeVar()))
		}
		return t
	case *pg_query.Node_CopyStmt:
		return c.copy(n.CopyStmt)
	case *pg_query.Node_ExplainStmt:
		return &ast.Explain{At: -1, Options: c.options(n.ExplainStmt.Options), Stmt: c.stmt(n.ExplainStmt.Query)}
	case *pg_query.Node_CreateStmt:
		return c.createTable(n.CreateStmt)
	case *pg_query.Node_CreateTableAsStmt:
		return c.createTableAs(n.CreateTableAsStmt)
	case *pg_query.Node_CreateSchemaStmt:
		return c.createSchema(n.CreateSchemaStmt)
	case *pg_query.Node_IndexStmt:
		return c.createIndex(n.IndexStmt)
	case *pg_query.Node_ViewStmt:
		return c.createView(n.ViewStmt)
	case *pg_query.Node_CreateSeqStmt:
		return c.createSequence(n.CreateSeqStmt)
	case *pg_query.Node_AlterSeqStmt:
		return c.alterSequence(n.AlterSeqStmt)
	case *pg_query.Node_CreateEnumStmt:
		return &ast.CreateEnum{At: -1, Type: c.tableName(stringsOf(n.CreateEnumStmt.TypeName), -1), Labels: stringsOf(n.CreateEnumStmt.Vals)}
	case *pg_query.Node_AlterEnumStmt:
		a := n.AlterEnumStmt
		return &ast.AlterEnum{At: -1, Type: c.tableName(stringsOf(a.TypeName), -1), OldLabel: a.OldVal, Label: a.NewVal,
			Neighbor: a.NewValNeighbor, After: a.NewValIsAfter, IfNotExists: a.SkipIfNewValExists}
	case *pg_query.Node_CompositeTypeStmt:
		return c.createComposite(n.CompositeTypeStmt)
	case *pg_query.Node_CreateDomainStmt:
		return c.createDomain(n.CreateDomainStmt)
	case *pg_query.Node_RefreshMatViewStmt:
		r := &ast.RefreshView{View: c.rangeVar(n.RefreshMatViewStmt.Relation), Concurrently: n.RefreshMatViewStmt.Concurrent,
			WithNoData: n.RefreshMatViewStmt.SkipData}
		r.At = r.View.At
		return r
	case *pg_query.Node_DropStmt:
		return c.drop(n.DropStmt)
	case *pg_query.Node_DropRoleStmt:
		d := &ast.Drop{At: -1, Kind: ast.ObjRole, IfExists: n.DropRoleStmt.MissingOk}
		for _, r := range n.DropRoleStmt.Roles {
			d.Names = append(d.Names, &ast.TableName{At: c.at(r.GetRoleSpec().GetLocation()), Name: role(r.GetRoleSpec())})
		}
		return d
	case *pg_query.Node_DropdbStmt:
		return &ast.Drop{At: -1, Kind: ast.ObjDatabase, IfExists: n.DropdbStmt.MissingOk,
			Names: []*ast.TableName{{At: -1, Name: n.DropdbStmt.Dbname}}}
	case *pg_query.Node_AlterTableStmt:
		return c.alterTable(n.AlterTableStmt)
	case *pg_query.Node_RenameStmt:
		return c.rename(n.RenameStmt)
	case *pg_query.Node_AlterObjectSchemaStmt:
		return c.setSchema(n.AlterObjectSchemaStmt)
	case *pg_query.Node_AlterOwnerStmt:
		return c.setOwner(n.AlterOwnerStmt)
	case *pg_query.Node_CommentStmt:
		return c.comment(n.CommentStmt)
	}
	return c.utility(node)
}

// utility converts the statements that neither query nor define.
func (c *converter) utility(node *pg_query.Node) ast.Stmt {
	switch n := node.GetNode().(type) {
	case *pg_query.Node_TransactionStmt:
		return c.transaction(n.TransactionStmt)
	case *pg_query.Node_VariableSetStmt:
		return c.set(n.VariableSetStmt)
	case *pg_query.Node_VariableShowStmt:
		return &ast.Show{At: -1, Name: n.VariableShowStmt.Name}
	case *pg_query.Node_ConstraintsSetStmt:
		return &ast.SetConstraints{At: -1, Names: c.rangeVars(n.ConstraintsSetStmt.Constraints), Deferred: n.ConstraintsSetStmt.Deferred}
	case *pg_query.Node_PrepareStmt:
		p := &ast.Prepare{At: -1, Name: n.PrepareStmt.Name, Stmt: c.stmt(n.PrepareStmt.Query)}
		for _, t := range n.PrepareStmt.Argtypes {
			p.Types = append(p.Types, c.typeName(t.GetTypeName()))
		}
		return p
	case *pg_query.Node_ExecuteStmt:
		return &ast.Execute{At: -1, Name: n.ExecuteStmt.Name, Args: c.exprs(n.ExecuteStmt.Params)}
	case *pg_query.Node_DeallocateStmt:
		return &ast.Deallocate{At: -1, Name: n.DeallocateStmt.Name}
	case *pg_query.Node_DeclareCursorStmt:
		const binary, scroll, noScroll, insensitive, hold = 0x01, 0x02, 0x04, 0x08, 0x20
		d, o := n.DeclareCursorStmt, n.DeclareCursorStmt.Options
		if s := d.Query.GetSelectStmt(); s == nil || s.IntoClause != nil {
			c.fail(errs.New(errs.InvalidCursorDefinition, "DECLARE CURSOR must specify a query that returns rows"), -1)
		}
		return &ast.DeclareCursor{At: -1, Name: d.Portalname, Query: c.query(d.Query), Binary: o&binary != 0,
			Hold: o&hold != 0, Scroll: o&scroll != 0, NoScroll: o&noScroll != 0, Insensitive: o&insensitive != 0}
	case *pg_query.Node_FetchStmt:
		return c.fetch(n.FetchStmt)
	case *pg_query.Node_ClosePortalStmt:
		return &ast.CloseCursor{At: -1, Name: n.ClosePortalStmt.Portalname}
	case *pg_query.Node_DiscardStmt:
		d := &ast.Discard{At: -1, Kind: "all"}
		switch n.DiscardStmt.Target {
		case pg_query.DiscardMode_DISCARD_PLANS:
			d.Kind = "plans"
		case pg_query.DiscardMode_DISCARD_SEQUENCES:
			d.Kind = "sequences"
		case pg_query.DiscardMode_DISCARD_TEMP:
			d.Kind = "temp"
		}
		return d
	case *pg_query.Node_LockStmt:
		return c.lock(n.LockStmt)
	case *pg_query.Node_VacuumStmt:
		v := &ast.Vacuum{At: -1, Analyze: !n.VacuumStmt.IsVacuumcmd, Options: c.options(n.VacuumStmt.Options)}
		for _, r := range n.VacuumStmt.Rels {
			rel := r.GetVacuumRelation()
			v.Tables = append(v.Tables, c.rangeVar(rel.GetRelation()))
			v.Columns = append(v.Columns, stringsOf(rel.GetVaCols()))
		}
		return v
	case *pg_query.Node_CheckPointStmt:
		return &ast.Checkpoint{At: -1}
	case *pg_query.Node_ListenStmt:
		return &ast.Listen{At: -1, Channel: n.ListenStmt.Conditionname}
	case *pg_query.Node_UnlistenStmt:
		return &ast.Unlisten{At: -1, Channel: n.UnlistenStmt.Conditionname}
	case *pg_query.Node_NotifyStmt:
		return &ast.Notify{At: -1, Channel: n.NotifyStmt.Conditionname, Payload: n.NotifyStmt.Payload}
	case *pg_query.Node_DoStmt:
		d := &ast.Do{At: -1}
		for _, a := range n.DoStmt.Args {
			switch e := a.GetDefElem(); e.GetDefname() {
			case "as":
				d.Body = stringOf(e.Arg)
			case "language":
				d.Language = stringOf(e.Arg)
			}
		}
		return d
	case *pg_query.Node_ReindexStmt:
		return c.reindex(n.ReindexStmt)
	case *pg_query.Node_GrantStmt:
		return &ast.Grant{At: -1, Revoke: !n.GrantStmt.IsGrant}
	case *pg_query.Node_GrantRoleStmt:
		return &ast.Grant{At: -1, Revoke: !n.GrantRoleStmt.IsGrant}
	case *pg_query.Node_CreateRoleStmt:
		return &ast.CreateRole{At: -1, Name: n.CreateRoleStmt.Role, Options: c.options(n.CreateRoleStmt.Options),
			User: n.CreateRoleStmt.StmtType == pg_query.RoleStmtType_ROLESTMT_USER}
	case *pg_query.Node_AlterRoleStmt:
		if n.AlterRoleStmt.Action < 0 {
			return &ast.Unsupported{At: -1, What: "ALTER GROUP DROP USER"}
		}
		return &ast.AlterRole{At: c.at(n.AlterRoleStmt.GetRole().GetLocation()), Name: role(n.AlterRoleStmt.Role),
			Options: c.options(n.AlterRoleStmt.Options)}
	case *pg_query.Node_CreateExtensionStmt:
		return &ast.CreateExtension{At: -1, Name: n.CreateExtensionStmt.Extname, IfNotExists: n.CreateExtensionStmt.IfNotExists}
	}
	return &ast.Unsupported{At: -1, What: nodeName(node)}
}

func (c *converter) copy(s *pg_query.CopyStmt) ast.Stmt {
	k := &ast.Copy{At: -1, Table: c.rangeVar(s.Relation), Columns: stringsOf(s.Attlist), From: s.IsFrom, Program: s.IsProgram,
		Filename: s.Filename, Options: c.options(s.Options), Where: c.expr(s.WhereClause)}
	if s.Query != nil {
		if q := s.Query.GetSelectStmt(); q != nil && selectInto(q) != nil {
			c.fail(errs.New(errs.FeatureNotSupported, "COPY (SELECT INTO) is not supported"), -1)
		}
		k.Query = c.stmt(s.Query)
	}
	return k
}

func (c *converter) transaction(s *pg_query.TransactionStmt) ast.Stmt {
	t := &ast.Transaction{At: -1, Name: s.SavepointName, Chain: s.Chain}
	if s.Gid != "" {
		t.Name = s.Gid
	}
	t.Modes = c.modes(s.Options)
	switch s.Kind {
	case pg_query.TransactionStmtKind_TRANS_STMT_START:
		t.Kind, t.Start = "begin", true
	case pg_query.TransactionStmtKind_TRANS_STMT_COMMIT:
		t.Kind = "commit"
	case pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		t.Kind = "rollback"
	case pg_query.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		t.Kind = "savepoint"
	case pg_query.TransactionStmtKind_TRANS_STMT_RELEASE:
		t.Kind = "release"
	case pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		t.Kind = "rollback to"
	case pg_query.TransactionStmtKind_TRANS_STMT_PREPARE:
		t.Kind = "prepare"
	case pg_query.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:
		t.Kind = "commit prepared"
	case pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		t.Kind = "rollback prepared"
	default:
		t.Kind = "begin"
	}
	return t
}

func (c *converter) modes(options []*pg_query.Node) (m ast.TransactionModes) {
	for _, n := range options {
		d := n.GetDefElem()
		k := d.GetArg().GetAConst()
		switch d.GetDefname() {
		case "transaction_isolation":
			m.Isolation = strings.ToLower(k.GetSval().GetSval())
		case "transaction_read_only":
			m.ReadOnly = new(k.GetIval().GetIval() != 0)
		case "transaction_deferrable":
			m.Deferrable = new(k.GetIval().GetIval() != 0)
		}
	}
	return m
}

func (c *converter) set(s *pg_query.VariableSetStmt) ast.Stmt {
	switch s.Kind {
	case pg_query.VariableSetKind_VAR_SET_MULTI:
		t := &ast.SetTransaction{At: -1}
		switch s.Name {
		case "TRANSACTION SNAPSHOT":
			if len(s.Args) > 0 {
				t.Snapshot = s.Args[0].GetAConst().GetSval().GetSval()
			}
			return t
		case "SESSION CHARACTERISTICS":
			t.Session = true
		}
		t.Modes = c.modes(s.Args)
		return t
	case pg_query.VariableSetKind_VAR_SET_CURRENT:
		return &ast.Unsupported{At: -1, What: "SET FROM CURRENT"}
	}
	for _, a := range s.Args {
		c.constantOnly(a)
	}
	out := &ast.Set{At: -1, Name: s.Name, Local: s.IsLocal, Values: c.exprs(s.Args)}
	switch s.Kind {
	case pg_query.VariableSetKind_VAR_SET_DEFAULT:
		out.Default = true
	case pg_query.VariableSetKind_VAR_RESET:
		out.Default, out.Reset = true, true
	case pg_query.VariableSetKind_VAR_RESET_ALL:
		out.Name, out.Default, out.Reset = "", true, true
	}
	return out
}

func (c *converter) fetch(s *pg_query.FetchStmt) ast.Stmt {
	f := &ast.Fetch{At: -1, Cursor: s.Portalname, Count: s.HowMany, Move: s.Ismove, All: s.HowMany == math.MaxInt64}
	switch s.Direction {
	case pg_query.FetchDirection_FETCH_BACKWARD:
		f.Direction = "backward"
	case pg_query.FetchDirection_FETCH_ABSOLUTE:
		f.Direction = "absolute"
	case pg_query.FetchDirection_FETCH_RELATIVE:
		f.Direction = "relative"
	default:
		f.Direction = "forward"
	}
	return f
}

// lockModes are the table lock modes, by the grammar's number.
var lockModes = [...]string{1: "access share", "row share", "row exclusive", "share update exclusive", "share",
	"share row exclusive", "exclusive", "access exclusive"}

func (c *converter) lock(s *pg_query.LockStmt) ast.Stmt {
	l := &ast.Lock{At: -1, NoWait: s.Nowait, Mode: "access exclusive"}
	if m := int(s.Mode); m > 0 && m < len(lockModes) {
		l.Mode = lockModes[m]
	}
	for _, r := range s.Relations {
		l.Tables = append(l.Tables, c.tableRef(r.GetRangeVar()))
	}
	return l
}

func (c *converter) reindex(s *pg_query.ReindexStmt) ast.Stmt {
	r := &ast.Reindex{At: -1, Name: c.rangeVar(s.Relation), Options: c.options(s.Params)}
	if r.Name == nil {
		r.Name = &ast.TableName{At: -1, Name: s.Name}
	}
	switch s.Kind {
	case pg_query.ReindexObjectType_REINDEX_OBJECT_INDEX:
		r.Kind = "index"
	case pg_query.ReindexObjectType_REINDEX_OBJECT_TABLE:
		r.Kind = "table"
	case pg_query.ReindexObjectType_REINDEX_OBJECT_SCHEMA:
		r.Kind = "schema"
	case pg_query.ReindexObjectType_REINDEX_OBJECT_SYSTEM:
		r.Kind = "system"
	default:
		r.Kind = "database"
	}
	return r
}

// objectWords spells an object type: OBJECT_EVENT_TRIGGER is EVENT TRIGGER.
func objectWords(t pg_query.ObjectType) string {
	switch t {
	case pg_query.ObjectType_OBJECT_TSCONFIGURATION:
		return "TEXT SEARCH CONFIGURATION"
	case pg_query.ObjectType_OBJECT_TSDICTIONARY:
		return "TEXT SEARCH DICTIONARY"
	case pg_query.ObjectType_OBJECT_TSPARSER:
		return "TEXT SEARCH PARSER"
	case pg_query.ObjectType_OBJECT_TSTEMPLATE:
		return "TEXT SEARCH TEMPLATE"
	case pg_query.ObjectType_OBJECT_STATISTIC_EXT:
		return "STATISTICS"
	case pg_query.ObjectType_OBJECT_DOMCONSTRAINT:
		return "CONSTRAINT ON DOMAIN"
	case pg_query.ObjectType_OBJECT_LARGEOBJECT:
		return "LARGE OBJECT"
	case pg_query.ObjectType_OBJECT_MATVIEW:
		return "MATERIALIZED VIEW"
	case pg_query.ObjectType_OBJECT_FDW:
		return "FOREIGN DATA WRAPPER"
	case pg_query.ObjectType_OBJECT_FOREIGN_SERVER:
		return "SERVER"
	case pg_query.ObjectType_OBJECT_OPCLASS:
		return "OPERATOR CLASS"
	case pg_query.ObjectType_OBJECT_OPFAMILY:
		return "OPERATOR FAMILY"
	}
	return strings.ReplaceAll(strings.TrimPrefix(t.String(), "OBJECT_"), "_", " ")
}

// statementNames are those that the node's name does not give.
var statementNames = map[string]string{
	"CreateTrigStmt": "CREATE TRIGGER", "CreateEventTrigStmt": "CREATE EVENT TRIGGER", "AlterEventTrigStmt": "ALTER EVENT TRIGGER",
	"CreatePlangStmt": "CREATE LANGUAGE", "CreateAmStmt": "CREATE ACCESS METHOD", "RuleStmt": "CREATE RULE",
	"CreateFdwStmt": "CREATE FOREIGN DATA WRAPPER", "AlterFdwStmt": "ALTER FOREIGN DATA WRAPPER",
	"CreateForeignServerStmt": "CREATE SERVER", "AlterForeignServerStmt": "ALTER SERVER",
	"CreateOpClassStmt": "CREATE OPERATOR CLASS", "CreateOpFamilyStmt": "CREATE OPERATOR FAMILY",
	"AlterOpFamilyStmt": "ALTER OPERATOR FAMILY", "SecLabelStmt": "SECURITY LABEL", "CreateStatsStmt": "CREATE STATISTICS",
	"AlterStatsStmt": "ALTER STATISTICS", "AlterObjectDependsStmt": "ALTER DEPENDS ON EXTENSION",
	"CreatedbStmt": "CREATE DATABASE", "AlterDatabaseRefreshCollStmt": "ALTER DATABASE REFRESH COLLATION VERSION",
	"AlterDatabaseSetStmt": "ALTER DATABASE SET", "AlterRoleSetStmt": "ALTER ROLE SET", "AlterSystemStmt": "ALTER SYSTEM",
	"AlterTableSpaceOptionsStmt": "ALTER TABLESPACE", "CreateTableSpaceStmt": "CREATE TABLESPACE",
	"DropTableSpaceStmt": "DROP TABLESPACE", "AlterTableMoveAllStmt": "ALTER TABLE ALL IN TABLESPACE",
	"AlterTsdictionaryStmt": "ALTER TEXT SEARCH DICTIONARY", "AlterTsconfigurationStmt": "ALTER TEXT SEARCH CONFIGURATION",
	"AlterExtensionContentsStmt": "ALTER EXTENSION", "CreateRangeStmt": "CREATE TYPE AS RANGE",
	"InsertStmt": "INSERT", "UpdateStmt": "UPDATE", "DeleteStmt": "DELETE", "SelectStmt": "SELECT", "MergeStmt": "MERGE",
}

// nodeName names a node for an error: CREATE POLICY for a statement, the node's own name for anything else.
func nodeName(node *pg_query.Node) string {
	switch n := node.GetNode().(type) {
	case *pg_query.Node_CreateFunctionStmt:
		if n.CreateFunctionStmt.IsProcedure {
			return "CREATE PROCEDURE"
		}
		return "CREATE FUNCTION"
	case *pg_query.Node_DefineStmt:
		return "CREATE " + objectWords(n.DefineStmt.Kind)
	case *pg_query.Node_AlterFunctionStmt:
		return "ALTER " + objectWords(n.AlterFunctionStmt.Objtype)
	}
	_, name, _ := strings.Cut(fmt.Sprintf("%T", node.GetNode()), "Node_")
	if words, ok := statementNames[name]; ok {
		return words
	}
	base, isStatement := strings.CutSuffix(name, "Stmt")
	if !isStatement {
		return name
	}
	var words strings.Builder
	for i, r := range base {
		if i > 0 && r >= 'A' && r <= 'Z' {
			words.WriteByte(' ')
		}
		words.WriteRune(r)
	}
	return strings.ToUpper(words.String())
}
