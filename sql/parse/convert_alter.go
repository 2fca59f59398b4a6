package parse

import (
	pg_query "github.com/pganalyze/pg_query_go/v5"

	"holdfast/sql/ast"
)

// objectKinds are the kinds of objects the tree knows; others are named in an error.
var objectKinds = map[pg_query.ObjectType]ast.ObjectKind{
	pg_query.ObjectType_OBJECT_TABLE:         ast.ObjTable,
	pg_query.ObjectType_OBJECT_VIEW:          ast.ObjView,
	pg_query.ObjectType_OBJECT_MATVIEW:       ast.ObjMatView,
	pg_query.ObjectType_OBJECT_INDEX:         ast.ObjIndex,
	pg_query.ObjectType_OBJECT_SEQUENCE:      ast.ObjSequence,
	pg_query.ObjectType_OBJECT_SCHEMA:        ast.ObjSchema,
	pg_query.ObjectType_OBJECT_COLUMN:        ast.ObjColumn,
	pg_query.ObjectType_OBJECT_TABCONSTRAINT: ast.ObjConstraint,
	pg_query.ObjectType_OBJECT_TYPE:          ast.ObjType,
	pg_query.ObjectType_OBJECT_DOMAIN:        ast.ObjDomain,
	pg_query.ObjectType_OBJECT_FUNCTION:      ast.ObjFunction,
	pg_query.ObjectType_OBJECT_DATABASE:      ast.ObjDatabase,
	pg_query.ObjectType_OBJECT_ROLE:          ast.ObjRole,
	pg_query.ObjectType_OBJECT_EXTENSION:     ast.ObjExtension,
	pg_query.ObjectType_OBJECT_TRIGGER:       ast.ObjTrigger,
	pg_query.ObjectType_OBJECT_RULE:          ast.ObjRule,
	pg_query.ObjectType_OBJECT_POLICY:        ast.ObjPolicy,
}

// objectKind is the kind of an object; verb is said of a kind that has no name here.
func (c *converter) objectKind(t pg_query.ObjectType, verb string) ast.ObjectKind {
	kind, ok := objectKinds[t]
	if !ok {
		c.unsupported(-1, verb+" "+objectWords(t))
	}
	return kind
}

// objectName is the name of an object as the grammar gives it: a string, a list of strings, a type, or a
// function with its arguments. Parts beyond the name itself (as in table.column) are the caller's.
func (c *converter) objectName(n *pg_query.Node) (parts []string, at ast.At) {
	switch o := n.GetNode().(type) {
	case *pg_query.Node_String_:
		return []string{o.String_.Sval}, -1
	case *pg_query.Node_List:
		for _, item := range o.List.Items {
			if item.GetString_() == nil {
				c.unsupported(-1, "a name of this kind")
			}
		}
		return stringsOf(o.List.Items), -1
	case *pg_query.Node_TypeName:
		names := stringsOf(o.TypeName.Names)
		return names, c.at(o.TypeName.Location)
	case *pg_query.Node_ObjectWithArgs:
		return stringsOf(o.ObjectWithArgs.Objname), -1
	case *pg_query.Node_RoleSpec:
		return []string{role(o.RoleSpec)}, -1
	}
	c.unsupported(-1, "a name of this kind")
	return nil, -1
}

func (c *converter) drop(s *pg_query.DropStmt) ast.Stmt {
	kind, ok := objectKinds[s.RemoveType]
	if !ok {
		return &ast.Unsupported{At: -1, What: "DROP " + objectWords(s.RemoveType)}
	}
	d := &ast.Drop{At: -1, Kind: kind, IfExists: s.MissingOk, Cascade: s.Behavior == pg_query.DropBehavior_DROP_CASCADE,
		Concurrently: s.Concurrent}
	for _, n := range s.Objects {
		parts, at := c.objectName(n)
		switch kind {
		case ast.ObjTrigger, ast.ObjRule, ast.ObjPolicy:
			if len(parts) < 2 {
				c.unsupported(-1, "this form of DROP")
			}
			d.On = c.tableName(parts[:len(parts)-1], at)
			parts = parts[len(parts)-1:]
		}
		d.Names = append(d.Names, c.tableName(parts, at))
	}
	return d
}

func (c *converter) comment(s *pg_query.CommentStmt) ast.Stmt {
	kind, ok := objectKinds[s.Objtype]
	if !ok {
		return &ast.Unsupported{At: -1, What: "COMMENT ON " + objectWords(s.Objtype)}
	}
	out := &ast.Comment{At: -1, Kind: kind}
	if s.Comment != "" { // an empty comment is none
		out.Text = new(s.Comment)
	}
	parts, at := c.objectName(s.Object)
	switch kind {
	case ast.ObjColumn, ast.ObjConstraint, ast.ObjTrigger, ast.ObjRule, ast.ObjPolicy:
		if len(parts) < 2 {
			c.unsupported(-1, "this form of COMMENT")
		}
		out.Column = parts[len(parts)-1]
		parts = parts[:len(parts)-1]
	}
	out.Name = c.tableName(parts, at)
	return out
}

func (c *converter) rename(s *pg_query.RenameStmt) ast.Stmt {
	kind, ok := objectKinds[s.RenameType]
	if !ok {
		return &ast.Unsupported{At: -1, What: "ALTER " + objectWords(s.RenameType) + " RENAME"}
	}
	r := &ast.Rename{At: -1, Kind: kind, NewName: s.Newname, IfExists: s.MissingOk}
	switch {
	case s.Relation != nil:
		r.Table = c.rangeVar(s.Relation)
		r.Name = s.Subname
		if kind == ast.ObjColumn || kind == ast.ObjConstraint {
			r.Relation = ast.ObjTable
			if kind == ast.ObjColumn {
				r.Relation = c.objectKind(s.RelationType, "ALTER")
			}
		}
	case s.Object != nil:
		parts, at := c.objectName(s.Object)
		r.Table = c.tableName(parts, at)
	default: // schemas, databases, roles
		r.Table = &ast.TableName{At: -1, Name: s.Subname}
	}
	return r
}

func (c *converter) setSchema(s *pg_query.AlterObjectSchemaStmt) ast.Stmt {
	kind, ok := objectKinds[s.ObjectType]
	if !ok {
		return &ast.Unsupported{At: -1, What: "ALTER " + objectWords(s.ObjectType) + " SET SCHEMA"}
	}
	a := &ast.AlterSetSchema{At: -1, Kind: kind, NewSchema: s.Newschema, IfExists: s.MissingOk}
	if s.Relation != nil {
		a.Name = c.rangeVar(s.Relation)
	} else {
		parts, at := c.objectName(s.Object)
		a.Name = c.tableName(parts, at)
	}
	return a
}

func (c *converter) setOwner(s *pg_query.AlterOwnerStmt) ast.Stmt {
	kind, ok := objectKinds[s.ObjectType]
	if !ok {
		return &ast.Unsupported{At: -1, What: "ALTER " + objectWords(s.ObjectType) + " OWNER TO"}
	}
	a := &ast.AlterOwner{At: -1, Kind: kind, Owner: role(s.Newowner)}
	if s.Relation != nil {
		a.Name = c.rangeVar(s.Relation)
	} else {
		parts, at := c.objectName(s.Object)
		a.Name = c.tableName(parts, at)
	}
	return a
}

func (c *converter) alterTable(s *pg_query.AlterTableStmt) ast.Stmt {
	kind, ok := objectKinds[s.Objtype]
	if !ok || kind == ast.ObjType {
		return &ast.Unsupported{At: -1, What: "ALTER " + objectWords(s.Objtype)}
	}
	a := &ast.AlterTable{Kind: kind, Table: c.rangeVar(s.Relation), IfExists: s.MissingOk, Only: !s.Relation.Inh}
	a.At = a.Table.At
	for _, n := range s.Cmds {
		a.Commands = append(a.Commands, c.alterCommand(n.GetAlterTableCmd()))
	}
	return a
}

// otherCommands names the commands that are not known further, and those that share a kind.
var otherCommands = map[pg_query.AlterTableType]string{
	pg_query.AlterTableType_AT_AlterColumnGenericOptions: "ALTER COLUMN OPTIONS",
	pg_query.AlterTableType_AT_SetCompression:            "ALTER COLUMN SET COMPRESSION",
	pg_query.AlterTableType_AT_ClusterOn:                 "CLUSTER ON",
	pg_query.AlterTableType_AT_DropCluster:               "SET WITHOUT CLUSTER",
	pg_query.AlterTableType_AT_SetLogged:                 "SET LOGGED",
	pg_query.AlterTableType_AT_SetUnLogged:               "SET UNLOGGED",
	pg_query.AlterTableType_AT_DropOids:                  "SET WITHOUT OIDS",
	pg_query.AlterTableType_AT_SetAccessMethod:           "SET ACCESS METHOD",
	pg_query.AlterTableType_AT_SetTableSpace:             "SET TABLESPACE",
	pg_query.AlterTableType_AT_EnableRule:                "ENABLE RULE",
	pg_query.AlterTableType_AT_EnableAlwaysRule:          "ENABLE ALWAYS RULE",
	pg_query.AlterTableType_AT_EnableReplicaRule:         "ENABLE REPLICA RULE",
	pg_query.AlterTableType_AT_DisableRule:               "DISABLE RULE",
	pg_query.AlterTableType_AT_AddInherit:                "INHERIT",
	pg_query.AlterTableType_AT_DropInherit:               "NO INHERIT",
	pg_query.AlterTableType_AT_AddOf:                     "OF",
	pg_query.AlterTableType_AT_DropOf:                    "NOT OF",
	pg_query.AlterTableType_AT_EnableRowSecurity:         "ENABLE ROW LEVEL SECURITY",
	pg_query.AlterTableType_AT_DisableRowSecurity:        "DISABLE ROW LEVEL SECURITY",
	pg_query.AlterTableType_AT_ForceRowSecurity:          "FORCE ROW LEVEL SECURITY",
	pg_query.AlterTableType_AT_NoForceRowSecurity:        "NO FORCE ROW LEVEL SECURITY",
	pg_query.AlterTableType_AT_GenericOptions:            "OPTIONS",
	pg_query.AlterTableType_AT_AttachPartition:           "ATTACH PARTITION",
	pg_query.AlterTableType_AT_DetachPartition:           "DETACH PARTITION",
	pg_query.AlterTableType_AT_DetachPartitionFinalize:   "DETACH PARTITION FINALIZE",
	pg_query.AlterTableType_AT_EnableAlwaysTrig:          "ENABLE ALWAYS TRIGGER",
	pg_query.AlterTableType_AT_EnableReplicaTrig:         "ENABLE REPLICA TRIGGER",
}

func (c *converter) alterCommand(k *pg_query.AlterTableCmd) *ast.AlterCommand {
	a := &ast.AlterCommand{At: -1, Name: k.Name, IfExists: k.MissingOk, Cascade: k.Behavior == pg_query.DropBehavior_DROP_CASCADE}
	endOfCommand := func(_, t token) bool { return t.punct(c.statement.Text, ',') || t.punct(c.statement.Text, ';') }
	switch k.Subtype {
	case pg_query.AlterTableType_AT_AddColumn:
		a.Kind, a.Column = ast.AddColumn, c.columnDef(k.Def.GetColumnDef())
		a.Name, a.At = a.Column.Name, a.Column.At
		a.IfExists, a.IfNotExists = false, k.MissingOk
	case pg_query.AlterTableType_AT_DropColumn:
		a.Kind = ast.DropColumn
	case pg_query.AlterTableType_AT_ColumnDefault:
		a.Kind = ast.SetDefault
		low := c.measure(func() { a.Expr = c.expr(k.Def) })
		if a.Expr != nil {
			a.ExprText = c.after("default", low, endOfCommand)
		}
	case pg_query.AlterTableType_AT_SetNotNull:
		a.Kind = ast.SetNotNull
	case pg_query.AlterTableType_AT_DropNotNull:
		a.Kind = ast.DropNotNull
	case pg_query.AlterTableType_AT_AlterColumnType:
		a.Kind = ast.AlterType
		d := k.Def.GetColumnDef()
		a.Column = c.columnDef(d)
		a.Column.Name = k.Name
		low := c.measure(func() { a.Expr = c.expr(d.GetRawDefault()) })
		if a.Expr != nil {
			a.ExprText = c.after("using", low, endOfCommand)
		}
	case pg_query.AlterTableType_AT_AddConstraint:
		a.Kind, a.Constraint = ast.AddConstraint, c.constraint(k.Def.GetConstraint())
		a.Name, a.At = a.Constraint.Name, a.Constraint.At
	case pg_query.AlterTableType_AT_DropConstraint:
		a.Kind = ast.DropConstraint
	case pg_query.AlterTableType_AT_ValidateConstraint:
		a.Kind = ast.ValidateConstraint
	case pg_query.AlterTableType_AT_AlterConstraint:
		// The grammar calls every constraint whose attributes are altered a foreign key.
		a.Kind, a.Constraint = ast.AlterConstraint, c.constraint(k.Def.GetConstraint())
		a.Name = a.Constraint.Name
	case pg_query.AlterTableType_AT_AddIdentity:
		a.Kind, a.Constraint = ast.AddIdentity, c.constraint(k.Def.GetConstraint())
		a.Generated, a.Options = a.Constraint.Generated, a.Constraint.SequenceOptions
	case pg_query.AlterTableType_AT_SetIdentity:
		a.Kind = ast.SetIdentity
		for _, n := range items(k.Def) {
			o := c.option(n.GetDefElem())
			if o.Name == "generated" { // the letter as a number
				if d := n.GetDefElem().GetArg().GetInteger(); d != nil {
					a.Generated = generatedWhen(string(rune(d.Ival)))
				}
				continue
			}
			a.Options = append(a.Options, o)
		}
	case pg_query.AlterTableType_AT_DropIdentity:
		a.Kind = ast.DropIdentity
	case pg_query.AlterTableType_AT_DropExpression:
		a.Kind = ast.DropExpression
	case pg_query.AlterTableType_AT_ChangeOwner:
		a.Kind, a.NewName = ast.ChangeOwner, role(k.Newowner)
	case pg_query.AlterTableType_AT_SetStatistics:
		a.Kind = ast.SetStatistics
		value := &ast.Option{At: -1, Name: "statistics"}
		if n := k.Def.GetInteger(); n != nil {
			value.Value = integer(-1, int64(n.Ival))
		}
		a.Options = []*ast.Option{value}
		if k.Num > 0 {
			a.Options = append(a.Options, &ast.Option{At: -1, Name: "column", Value: integer(-1, int64(k.Num))})
		}
	case pg_query.AlterTableType_AT_SetOptions, pg_query.AlterTableType_AT_SetRelOptions:
		a.Kind, a.Options = ast.SetOptions, c.options(items(k.Def))
	case pg_query.AlterTableType_AT_ResetOptions, pg_query.AlterTableType_AT_ResetRelOptions:
		a.Kind, a.Options = ast.ResetOptions, c.options(items(k.Def))
	case pg_query.AlterTableType_AT_SetStorage:
		a.Kind, a.NewName = ast.SetStorage, stringOf(k.Def)
	case pg_query.AlterTableType_AT_EnableTrig:
		a.Kind = ast.EnableTrigger
	case pg_query.AlterTableType_AT_EnableTrigAll:
		a.Kind, a.Name, a.What = ast.EnableTrigger, "", "all"
	case pg_query.AlterTableType_AT_EnableTrigUser:
		a.Kind, a.Name, a.What = ast.EnableTrigger, "", "user"
	case pg_query.AlterTableType_AT_DisableTrig:
		a.Kind = ast.DisableTrigger
	case pg_query.AlterTableType_AT_DisableTrigAll:
		a.Kind, a.Name, a.What = ast.DisableTrigger, "", "all"
	case pg_query.AlterTableType_AT_DisableTrigUser:
		a.Kind, a.Name, a.What = ast.DisableTrigger, "", "user"
	case pg_query.AlterTableType_AT_ReplicaIdentity:
		r := k.Def.GetReplicaIdentityStmt()
		a.Kind = ast.ReplicaIdentity
		a.What = map[string]string{"n": "nothing", "f": "full", "d": "default", "i": "index"}[r.GetIdentityType()]
		a.NewName = r.GetName()
	default:
		a.Kind, a.What = ast.AlterOther, otherCommands[k.Subtype]
		if a.What == "" {
			a.What = k.Subtype.String()
		}
	}
	return a
}
