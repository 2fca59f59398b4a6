package ddl

import (
	"context"

	"holdfast/planner/bind"
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// createView is CREATE [OR REPLACE] VIEW.
func (env *Env) createView(ctx context.Context, s *ast.CreateView) error {
	if s.Temp {
		return errs.Unsupported("temporary views")
	}
	if s.Recursive {
		return errs.Unsupported("recursive views").WithHint("Write the view with WITH RECURSIVE in its query.")
	}
	schema, err := env.Snapshot.CreationSchema(env.SearchPath, s.View.Schema, s.View.Name)
	if err != nil {
		return err
	}
	q, text, err := bind.BindView(ctx, env.options(), s.Query, s.Columns)
	if err != nil {
		return err
	}
	v := &catalog.Table{Schema: schema.OID, Name: s.View.Name, Kind: catalog.KindView, Owner: catalog.PostgresRoleOID,
		View: &catalog.View{Query: text.Query, Source: text.Source, CheckOption: s.CheckOption, DependsOn: text.DependsOn}}
	if err := setViewOptions(v.View, s.Options); err != nil {
		return err
	}
	for i, o := range q.Output {
		c := q.Column(o.ID)
		name := o.Name
		if i < len(s.Columns) {
			name = s.Columns[i]
		}
		if v.Column(name) != nil {
			return errs.New(errs.DuplicateColumn, `column "%s" specified more than once`, name)
		}
		typ := c.Typ
		if typ == types.Unknown {
			typ = types.Text
		}
		if typ.Kind == 'p' && typ.Name != "record" {
			return errs.New(errs.InvalidTableDefinition, `column "%s" has pseudo-type %s`, name, typ.Name)
		}
		v.Columns = append(v.Columns, &catalog.Column{Number: int16(i + 1), Name: name, Type: typ, Mod: c.M})
	}
	old := env.Snapshot.Relation(schema.OID, s.View.Name)
	if old == nil || !s.OrReplace {
		if err := env.checkOptions(ctx, v); err != nil {
			return err
		}
		return env.put(ctx, v)
	}
	if old.Kind != catalog.KindView {
		return errs.New(errs.WrongObjectType, `"%s" is not a view`, old.Name)
	}
	// What assertions read, and whether they hold, was worked out with the view as it is.
	if on := env.Snapshot.AssertionsOn(old.OID); len(on) > 0 {
		return errs.Unsupported("replacing what assertion %s reads", on[0].Name).
			WithHint("Drop the assertion, replace the view, and create it again: all in one transaction if you like.")
	}
	if len(v.Columns) < len(old.Columns) {
		return errs.New(errs.InvalidTableDefinition, "cannot drop columns from view")
	}
	for i, c := range old.Columns {
		n := v.Columns[i]
		if n.Name != c.Name {
			return errs.New(errs.InvalidTableDefinition, `cannot change name of view column "%s" to "%s"`, c.Name, n.Name).
				WithHint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.")
		}
		if n.Type != c.Type || n.Mod != c.Mod {
			return errs.New(errs.InvalidTableDefinition, `cannot change data type of view column "%s" from %s to %s`, c.Name,
				types.FormatType(c.Type, c.Mod), types.FormatType(n.Type, n.Mod))
		}
		n.Default, n.Comment = c.Default, c.Comment
	}
	v.OID, v.RowType, v.Comment = old.OID, old.RowType, old.Comment
	if err := env.checkOptions(ctx, v); err != nil {
		return err
	}
	return env.put(ctx, v)
}

// setViewOptions takes the options of WITH (..) or ALTER VIEW .. SET (..).
func setViewOptions(v *catalog.View, list []*ast.Option) error {
	for _, o := range list {
		l, _ := o.Value.(*ast.Literal)
		switch o.Name {
		case "check_option":
			if l == nil || l.Value != "local" && l.Value != "cascaded" {
				return errs.New(errs.InvalidParameterValue, `invalid value for enum option "check_option"`).WithDetail(`Valid values are "local" and "cascaded".`)
			}
			v.CheckOption = l.Value
		case "delete_from":
			if l == nil || l.Value == "" {
				return errs.New(errs.InvalidParameterValue, `invalid value for option "delete_from"`).
					WithDetail("It is the name of a table or view in the FROM clause of the view, as it is known there.")
			}
			v.DeleteFrom = l.Value
		default:
			return errs.Unsupported(`view option "%s"`, o.Name)
		}
	}
	return nil
}

// alterViewOptions is ALTER VIEW .. SET (..) and RESET (..).
func (env *Env) alterViewOptions(ctx context.Context, t *catalog.Table, c *ast.AlterCommand) error {
	view := t.Clone()
	if c.Kind == ast.SetOptions {
		if err := setViewOptions(view.View, c.Options); err != nil {
			return err
		}
	} else {
		for _, o := range c.Options {
			switch o.Name {
			case "check_option":
				view.View.CheckOption = ""
			case "delete_from":
				view.View.DeleteFrom = ""
			}
		}
	}
	if err := env.checkOptions(ctx, view); err != nil {
		return err
	}
	return env.put(ctx, view)
}

// checkOptions refuses WITH CHECK OPTION on a view that cannot be written, and a choice for DELETE that cannot be made.
func (env *Env) checkOptions(ctx context.Context, v *catalog.Table) error {
	if v.View.CheckOption == "" && v.View.DeleteFrom == "" {
		return nil
	}
	a, err := bind.AnalyzeView(ctx, env.options(), v)
	if err != nil {
		return err
	}
	if v.View.CheckOption != "" && !a.Update.OK && !a.Insert.OK {
		return errs.New(errs.FeatureNotSupported, "WITH CHECK OPTION is supported only on automatically updatable views").WithHint("%s", a.Update.Reason)
	}
	if v.View.DeleteFrom != "" && !a.Delete.OK {
		return errs.New(errs.InvalidParameterValue, `invalid value for option "delete_from": "%s"`, v.View.DeleteFrom).WithDetail("%s", a.Delete.Reason)
	}
	return nil
}
