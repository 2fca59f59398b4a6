package planner

import (
	"slices"
	"strconv"
	"strings"

	"holdfast/sql/catalog"
	"holdfast/sql/types"
)

// The relations of pg_catalog that show sessions and settings rather than the schema.
func init() {
	for name, rows := range map[string]func(s *Session, emit func([]types.Datum) bool){
		"pg_settings":            settingRows,
		"pg_stat_activity":       activityRows,
		"pg_prepared_statements": preparedRows,
		"pg_cursors":             cursorRows,
		"pg_stat_database":       databaseRows,
		"pg_locks":               lockRows,
		"pg_stat_user_tables":    tableRows,
		"pg_stat_all_tables":     tableRows,
	} {
		catalog.RegisterRows(catalog.PgCatalogOID, name, ofSessions(rows))
	}
}

// ofSessions makes the rows of a relation that shows sessions.
func ofSessions(rows func(s *Session, emit func([]types.Datum) bool)) catalog.VirtualRows {
	return func(v *catalog.VirtualContext, _ catalog.VirtualFilter, emit func([]types.Datum) bool) error {
		if s, ok := v.Session.(functionSession); ok {
			rows(s.Session, emit)
		}
		return nil
	}
}

// textDatum is NULL for "".
func textDatum(s string) types.Datum {
	if s == "" {
		return types.Null
	}
	return types.NewString(s)
}

var settingKinds = map[settingKind]string{settingString: "string", settingBool: "bool", settingInt: "integer", settingEnum: "enum"}

// settingRows are the rows of pg_settings: numbers are in the setting's unit.
func settingRows(s *Session, emit func([]types.Datum) bool) {
	for _, d := range s.settings.all() {
		plain := func(value string) types.Datum {
			if n, err := d.parseInt(value); err == nil && d.kind == settingInt {
				value = strconv.FormatInt(n, 10)
			}
			return types.NewString(value)
		}
		value, _ := s.settings.get(d.name)
		key := strings.ToLower(d.name)
		source, reset := "default", d.initial
		if v, ok := s.settings.defaults[key]; ok {
			source, reset = "client", v
		}
		if _, ok := s.settings.values[key]; ok {
			source = "session"
		}
		context := "user"
		low, high, labels := types.Null, types.Null, types.Null
		if d.readOnly {
			context = "internal"
		}
		switch d.kind {
		case settingInt:
			low, high = types.NewString(strconv.FormatInt(d.min, 10)), types.NewString(strconv.FormatInt(d.max, 10))
		case settingEnum:
			values := make([]types.Datum, len(d.values))
			for i, v := range d.values {
				values[i] = types.NewString(v)
			}
			labels = types.NewAny(types.NewSlice(types.Text, values))
		}
		if !emit([]types.Datum{types.NewString(d.name), plain(value), textDatum(d.unit), types.NewString("Ungrouped"), types.NewString(d.description), types.Null,
			types.NewString(context), types.NewString(settingKinds[d.kind]), types.NewString(source), low, high, labels, plain(d.initial), plain(reset),
			types.Null, types.Null, types.NewBool(false)}) {
			return
		}
	}
}

// preparedRows are the rows of pg_prepared_statements: those of the session, by name.
func preparedRows(s *Session, emit func([]types.Datum) bool) {
	var names []string
	for name := range s.statements {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		p := s.statements[name]
		params := make([]types.Datum, len(p.params))
		for i, t := range p.params {
			params[i] = types.NewInt(int64(t.OID))
		}
		// Every plan serves all values of the parameters.
		if !emit([]types.Datum{types.NewString(name), types.NewString(p.whole), types.NewInt(p.from),
			types.NewAny(types.NewSlice(types.Regtype, params)), types.NewBool(p.sql), types.Null, types.Null}) {
			return
		}
	}
}

// cursorRows are the rows of pg_cursors: those of the session that DECLARE made, by name.
func cursorRows(s *Session, emit func([]types.Datum) bool) {
	var names []string
	for name, p := range s.portals {
		if p.cursor != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		p := s.portals[name]
		if !emit([]types.Datum{types.NewString(name), types.NewString(p.stmt.whole), types.NewBool(p.cursor.hold), types.NewBool(p.cursor.binary),
			types.NewBool(p.cursor.scroll), types.NewInt(p.cursor.created)}) {
			return
		}
	}
}
