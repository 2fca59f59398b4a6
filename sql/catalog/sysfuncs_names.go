package catalog

import (
	"slices"
	"time"

	"holdfast/sql/errs"
	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

// The functions about names, visibility and the server.
func init() {
	registerFunc("pg_table_is_visible", visible(func(c *call, id OID) (bool, bool) {
		_, _, ok := c.s.nameOf(id)
		return c.s.Visible(id, c.path()), ok
	}), 2079)
	registerFunc("pg_type_is_visible", visible(func(c *call, id OID) (bool, bool) {
		return c.s.TypeVisible(id, c.path()), c.s.Type(id) != nil
	}), 2080)
	registerFunc("pg_function_is_visible", visible(func(_ *call, id OID) (bool, bool) { return true, funcs.KnownByOID(id) != nil }), 2081)
	registerFunc("pg_operator_is_visible", visible(func(_ *call, id OID) (bool, bool) {
		return true, slices.ContainsFunc(funcs.Operators(), func(o *funcs.Operator) bool { return o.OID == id })
	}), 2082)
	registerFunc("pg_opclass_is_visible", visible(inFixed("pg_opclass")), 2083)
	registerFunc("pg_opfamily_is_visible", visible(inFixed("pg_opfamily")), 3829)
	registerFunc("pg_collation_is_visible", visible(inFixed("pg_collation")), 3815)
	for name, id := range map[string]OID{"pg_conversion_is_visible": 2093, "pg_statistics_obj_is_visible": 3403, "pg_ts_config_is_visible": 3758,
		"pg_ts_dict_is_visible": 3757, "pg_ts_parser_is_visible": 3756, "pg_ts_template_is_visible": 3768} {
		registerFunc(name, always(null), id) // there are no such objects
	}
	for name, f := range map[string]struct {
		id OID
		t  *types.Type
	}{
		"to_regclass": {3495, types.Regclass}, "to_regtype": {3493, types.Regtype}, "to_regproc": {3494, types.Regproc},
		"to_regprocedure": {3479, types.Regprocedure}, "to_regoper": {3492, types.Regoper}, "to_regoperator": {3476, types.Regoperator},
		"to_regnamespace": {4086, types.Regnamespace}, "to_regrole": {4093, types.Regrole}, "to_regcollation": {4195, types.Regcollation},
	} {
		registerFunc(name, toReg(f.t), f.id)
	}
	registerFunc("pg_get_userbyid", func(c *call) (datum, error) { return text(c.s.roleName(c.oid(0))), nil }, 1642)
	registerFunc("current_schema", currentSchema, 1402)
	registerFunc("current_schemas", currentSchemas, 1403)
	registerFunc("pg_typeof", func(c *call) (datum, error) { return oid(c.vecs[0].Type.OID), nil }, 1619)
	registerFunc("pg_my_temp_schema", always(oid(0)), 2854)
	registerFunc("pg_is_other_temp_schema", always(boolean(false)), 2855)
	registerFunc("pg_is_in_recovery", always(boolean(false)), 3810)
	registerFunc("pg_jit_available", always(boolean(false)), 315)
	registerFunc("row_security_active", always(boolean(false)), 3298, 3299)
	started := integer(time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Microseconds())
	registerFunc("pg_postmaster_start_time", always(started), 2560)
	registerFunc("pg_conf_load_time", always(started), 2034)
	registerFunc("pg_encoding_to_char", encodingToChar, 1597)
	registerFunc("pg_char_to_encoding", charToEncoding, 1264)
	registerFunc("pg_encoding_max_length", encodingMaxLength, 2319)
	registerFunc("getdatabaseencoding", always(text("UTF8")), 1039)
	registerFunc("pg_index_column_has_property", indexColumnHasProperty, 638)
	registerFunc("pg_index_has_property", indexHasProperty, 637)
	registerFunc("pg_indexam_has_property", indexamHasProperty, 636)
	registerFunc("pg_relation_is_updatable", relationIsUpdatable, 3842)
	registerFunc("pg_column_is_updatable", columnIsUpdatable, 3843)
	registerFunc("pg_relation_is_publishable", func(c *call) (datum, error) {
		t := c.s.RelationByOID(c.oid(0))
		if t == nil {
			return null, nil
		}
		return boolean(t.Kind == KindTable && t.OID >= FirstUserOID), nil
	}, 6121)
	registerFunc("pg_get_replica_identity_index", func(c *call) (datum, error) {
		if t := c.s.RelationByOID(c.oid(0)); t != nil && t.PrimaryKey() != nil {
			return oid(t.PrimaryKey().OID), nil
		}
		return null, nil
	}, 6120)
	registerFunc("pg_tablespace_location", always(text("")), 3778)
	registerFunc("pg_partition_root", always(null), 3424)
	registerSet("pg_partition_ancestors", 3425, func(*call) ([][]datum, error) { return nil, nil })
	registerSet("pg_partition_tree", 3423, func(*call) ([][]datum, error) { return nil, nil })
	registerSet("pg_options_to_table", 2289, optionsToTable)
	registerSet("pg_get_keywords", 1686, func(*call) ([][]datum, error) { return keywords() })
	registerExpandArray()
}

// visible makes pg_.._is_visible: NULL for objects that do not exist.
func visible(f func(c *call, id OID) (is, exists bool)) systemFunc {
	return func(c *call) (datum, error) {
		is, exists := f(c, c.oid(0))
		if !exists {
			return null, nil
		}
		return boolean(is), nil
	}
}

// inFixed reports objects of a fixed catalog, all of which are visible.
func inFixed(catalog string) func(c *call, id OID) (bool, bool) {
	rows := fixedRowsOf(catalog)
	return func(_ *call, id OID) (bool, bool) {
		all, _ := rows()
		return true, slices.ContainsFunc(all, func(r []datum) bool { return OID(r[0].Int()) == id })
	}
}

// toReg is the input of an oid alias type that gives NULL for names of nothing.
func toReg(t *types.Type) systemFunc {
	return func(c *call) (datum, error) {
		id, err := c.s.Directory(c.path(), c.ctx.Session.Database()).LookupReg(t, c.text(0))
		switch errs.CodeOf(err) {
		case "":
			return oid(id), nil
		case errs.UndefinedTable, errs.UndefinedObject, errs.UndefinedFunction, errs.AmbiguousFunction, errs.InvalidSchemaName:
			return null, nil
		}
		return null, err
	}
}

// existing are the schemas of the search path that exist, the implicit one as well if asked for.
func (c *call) existing(implicit bool) []string {
	var names []string
	for _, p := range c.path() {
		if c.s.schemaNames[p] != nil && !slices.Contains(names, p) {
			names = append(names, p)
		}
	}
	if implicit && !slices.Contains(names, "pg_catalog") {
		names = append([]string{"pg_catalog"}, names...)
	}
	return names
}

func currentSchema(c *call) (datum, error) {
	if names := c.existing(false); len(names) > 0 {
		return text(names[0]), nil
	}
	return null, nil
}

func currentSchemas(c *call) (datum, error) {
	names := c.existing(c.args[0].Bool())
	if names == nil {
		names = []string{}
	}
	return array(types.Name, names, text), nil
}

// encodings are the character sets by PostgreSQL's numbers. Only UTF8 is in use.
var encodings = []string{"SQL_ASCII", "EUC_JP", "EUC_CN", "EUC_KR", "EUC_TW", "EUC_JIS_2004", "UTF8", "MULE_INTERNAL", "LATIN1", "LATIN2", "LATIN3",
	"LATIN4", "LATIN5", "LATIN6", "LATIN7", "LATIN8", "LATIN9", "LATIN10", "WIN1256", "WIN1258", "WIN866", "WIN874", "KOI8R", "WIN1251", "WIN1252",
	"ISO_8859_5", "ISO_8859_6", "ISO_8859_7", "ISO_8859_8", "WIN1250", "WIN1253", "WIN1254", "WIN1255", "WIN1257", "KOI8U", "SJIS", "BIG5", "GBK",
	"UHC", "GB18030", "JOHAB", "SHIFT_JIS_2004"}

func encodingToChar(c *call) (datum, error) {
	n := c.args[0].Int()
	if n < 0 || n >= int64(len(encodings)) {
		return text(""), nil
	}
	return text(encodings[n]), nil
}

func charToEncoding(c *call) (datum, error) {
	// Letter case and punctuation do not matter.
	fold := func(s string) string {
		var b []byte
		for i := range len(s) {
			switch ch := s[i]; {
			case ch >= 'A' && ch <= 'Z':
				b = append(b, ch+'a'-'A')
			case ch >= 'a' && ch <= 'z' || ch >= '0' && ch <= '9':
				b = append(b, ch)
			}
		}
		return string(b)
	}
	name := fold(c.text(0))
	if name == "unicode" {
		name = "utf8"
	}
	return integer(slices.IndexFunc(encodings, func(e string) bool { return fold(e) == name })), nil
}

func encodingMaxLength(c *call) (datum, error) {
	const utf8 = 6
	if c.args[0].Int() == utf8 {
		return integer(4), nil
	}
	return null, nil
}

func indexColumnHasProperty(c *call) (datum, error) {
	_, x := c.s.IndexByOID(c.oid(0))
	n := int(c.args[1].Int())
	if x == nil || n < 1 || n > len(x.Keys)+len(x.Include) {
		return null, nil
	}
	if n > len(x.Keys) {
		switch c.text(2) {
		case "returnable":
			return boolean(true), nil
		case "asc", "desc", "nulls_first", "nulls_last", "orderable", "distance_orderable", "search_array", "search_nulls":
			return boolean(false), nil
		}
		return null, nil
	}
	k := x.Keys[n-1]
	switch c.text(2) {
	case "asc":
		return boolean(!k.Desc), nil
	case "desc":
		return boolean(k.Desc), nil
	case "nulls_first":
		return boolean(k.NullsFirst), nil
	case "nulls_last":
		return boolean(!k.NullsFirst), nil
	case "orderable", "returnable", "search_array", "search_nulls":
		return boolean(true), nil
	case "distance_orderable":
		return boolean(false), nil
	}
	return null, nil
}

func indexHasProperty(c *call) (datum, error) {
	if c.s.indexTables[c.oid(0)] == 0 {
		return null, nil
	}
	switch c.text(1) {
	case "index_scan", "backward_scan":
		return boolean(true), nil
	case "clusterable", "bitmap_scan":
		return boolean(false), nil
	}
	return null, nil
}

func indexamHasProperty(c *call) (datum, error) {
	if c.oid(0) != btreeOID {
		return null, nil
	}
	switch c.text(1) {
	case "can_order", "can_unique", "can_multi_col", "can_include":
		return boolean(true), nil
	case "can_exclude":
		return boolean(false), nil
	}
	return null, nil
}

func relationIsUpdatable(c *call) (datum, error) {
	t := c.s.RelationByOID(c.oid(0))
	if t == nil {
		return integer(0), nil
	}
	return integer(c.s.updatableEvents(t)), nil
}

func columnIsUpdatable(c *call) (datum, error) {
	t := c.s.RelationByOID(c.oid(0))
	return boolean(t != nil && c.args[1].Int() > 0 && c.s.columnUpdatable(t, int16(c.args[1].Int()))), nil
}

// optionsToTable splits options written as name=value.
func optionsToTable(c *call) ([][]datum, error) {
	a, _ := c.args[0].Any().(*types.Array)
	if a == nil {
		return nil, nil
	}
	var rows [][]datum
	for _, e := range a.Elems {
		name, value, ok := cutOption(e.Str())
		row := []datum{text(name), null}
		if ok {
			row[1] = text(value)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func cutOption(s string) (name, value string, ok bool) {
	for i := range len(s) {
		if s[i] == '=' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

var keywords = func() ([][]datum, error) {
	f := funcs.Known("pg_get_keywords", 1686)
	cols := make([]*Column, len(f.OutTypes))
	for i, t := range f.OutTypes {
		cols[i] = &Column{Name: f.OutNames[i], Type: t}
	}
	return parseRows(&Table{Name: f.Name, Columns: cols}, system().rows["pg_get_keywords"])
}

// registerExpandArray registers information_schema._pg_expandarray, which drivers call by name: the elements
// of an array, each with its number from 1.
func registerExpandArray() {
	const id OID = 13196
	if funcs.ByOID(id) != nil {
		return
	}
	funcs.Register(&funcs.Func{
		OID: id, Name: "_pg_expandarray", Args: []*types.Type{types.AnyArray}, Result: types.RecordType, Kind: 'f', ReturnsSet: true, Strict: true,
		Volatility: 'i', OutNames: []string{"x", "n"}, OutTypes: []*types.Type{types.AnyElement, types.Int4}, Source: "_pg_expandarray",
		Rows: func(_ *funcs.Ctx, args []datum) (func() ([]datum, error), error) {
			a, _ := args[0].Any().(*types.Array)
			i := 0
			return func() ([]datum, error) {
				if a == nil || i >= len(a.Elems) {
					return nil, nil
				}
				i++
				return []datum{a.Elems[i-1], integer(i)}, nil
			}, nil
		},
	})
}
