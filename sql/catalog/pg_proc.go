package catalog

import (
	"slices"
	"strings"
	"sync"

	"holdfast/sql/funcs"
	"holdfast/sql/types"
)

func init() {
	registerRows("pg_proc", pgProc)
	registerRows("pg_operator", pgOperator)
	registerRows("pg_cast", pgCast)
	registerRows("pg_aggregate", pgAggregate)
	registerRows("pg_amop", pgAmop)
}

const (
	internalLanguage OID     = 12
	setRows          float64 = 1000 // estimated rows of a set-returning function, PostgreSQL's default
)

// typeFunctions are the functions that pg_type and pg_amproc refer to, which drivers look up there although nobody can call
// most of them.
var typeFunctions = sync.OnceValue(func() []*funcs.Func {
	oids := []OID{enumIn, enumOut, enumRecv, enumSend, domainIn, domainRecv, arrayIn, arrayOut, arrayRecv, arraySend, arrayAnalyze, arraySubscript,
		recordIn, recordOut, recordRecv, recordSend}
	for _, r := range builtinTypeRows() {
		oids = append(oids, OID(r[typeSubscriptColumn].Int()))
		for i := typeInputColumn; i <= typeAnalyzeColumn; i++ {
			oids = append(oids, OID(r[i].Int()))
		}
	}
	support, _ := fixedRowsOf("pg_amproc")()
	for _, r := range support {
		oids = append(oids, OID(r[len(r)-1].Int()))
	}
	slices.Sort(oids)
	var list []*funcs.Func
	for _, id := range slices.Compact(oids) {
		if f := funcs.KnownByOID(id); f != nil && funcs.ByOID(id) == nil {
			list = append(list, f)
		}
	}
	return list
})

func pgProc(_ *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	for _, list := range [][]*funcs.Func{funcs.All(), typeFunctions()} {
		for _, f := range list {
			if filter.allowsOID(1, f.OID) && filter.allowsName(2, f.Name) && filter.allowsOID(3, PgCatalogOID) && !emit(procRow(f)) {
				return nil
			}
		}
	}
	return nil
}

// procRow is the row of pg_proc.
func procRow(f *funcs.Func) []datum {
	args := oidsOf(f.Args)
	variadic := OID(0)
	if f.Variadic && len(f.Args) > 0 {
		variadic = f.Args[len(f.Args)-1].OID
		if e := f.Args[len(f.Args)-1].Elem; e != nil {
			variadic = e.OID
		}
	}
	rows := 0.0
	if f.ReturnsSet {
		rows = setRows
	}
	// All arguments with their modes are listed only if some are not plain inputs.
	all, modes := null, null
	var names datum
	var argNames []string
	if len(f.ArgNames) > 0 {
		argNames = slices.Clone(f.ArgNames)
	}
	if len(f.OutTypes) > 0 || f.Variadic {
		list, m := slices.Clone(args), []string{}
		for i := range f.Args {
			mode := "i"
			if f.Variadic && i == len(f.Args)-1 {
				mode = "v"
			}
			m = append(m, mode)
		}
		for range f.OutTypes {
			m = append(m, "o")
		}
		list = append(list, oidsOf(f.OutTypes)...)
		all, modes = array(types.Oid, list, oid), array(types.CharQuoted, m, text)
		if len(f.OutNames) > 0 {
			for len(argNames) < len(f.Args) {
				argNames = append(argNames, "")
			}
			argNames = append(argNames, f.OutNames...)
		}
	}
	names = array(types.Text, argNames, text)
	return []datum{oid(f.OID), text(f.Name), oid(PgCatalogOID), oid(PostgresRoleOID), oid(internalLanguage), float(1), float(rows), oid(variadic), oid(0),
		char(f.Kind), boolean(false), boolean(false), boolean(f.Strict), boolean(f.ReturnsSet), char(f.Volatility), char('s'), integer(len(f.Args)),
		integer(f.Defaults), oid(f.Result.OID), vector(types.Oid, args, oid), all, modes, names, null, null, text(f.Source), null, null, null, null}
}

func oidsOf(ts []*types.Type) []OID {
	oids := make([]OID, len(ts))
	for i, t := range ts {
		oids[i] = t.OID
	}
	return oids
}

// procArguments is the list of arguments as pg_get_function_arguments prints it.
func procArguments(f *funcs.Func, identity bool) string {
	var parts []string
	for i, t := range f.Args {
		p := sqlTypeName(t)
		if i < len(f.ArgNames) && f.ArgNames[i] != "" {
			p = types.QuoteIdentifier(f.ArgNames[i]) + " " + p
		}
		if f.Variadic && i == len(f.Args)-1 {
			p = "VARIADIC " + p
		}
		parts = append(parts, p)
	}
	if !identity {
		for i, t := range f.OutTypes {
			p := "OUT "
			if i < len(f.OutNames) && f.OutNames[i] != "" {
				p += types.QuoteIdentifier(f.OutNames[i]) + " "
			}
			parts = append(parts, p+sqlTypeName(t))
		}
	}
	return strings.Join(parts, ", ")
}

// procResult is the result type as pg_get_function_result prints it.
func procResult(f *funcs.Func) string {
	r := sqlTypeName(f.Result)
	if f.ReturnsSet {
		r = "SETOF " + r
	}
	return r
}

// operatorsByName finds an operator by its name and types.
var operatorsByName = sync.OnceValue(func() map[operatorKey]OID {
	m := map[operatorKey]OID{}
	for _, o := range funcs.Operators() {
		m[keyOf(o.Name, o.Left, o.Right)] = o.OID
	}
	return m
})

type operatorKey struct {
	name        string
	left, right OID
}

func keyOf(name string, left, right *types.Type) operatorKey {
	k := operatorKey{name: name}
	if left != nil {
		k.left = left.OID
	}
	if right != nil {
		k.right = right.OID
	}
	return k
}

func pgOperator(_ *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	for _, o := range funcs.Operators() {
		if !filter.allowsOID(1, o.OID) || !filter.allowsName(2, o.Name) {
			continue
		}
		kind, left := byte('b'), OID(0)
		if o.Left == nil {
			kind = 'l'
		} else {
			left = o.Left.OID
		}
		com, neg := operatorsByName()[keyOf(o.Commutator, o.Right, o.Left)], operatorsByName()[keyOf(o.Negator, o.Left, o.Right)]
		if !emit([]datum{oid(o.OID), text(o.Name), oid(PgCatalogOID), oid(PostgresRoleOID), char(kind), boolean(o.Strategy == 3), boolean(o.Hashable),
			oid(left), oid(o.Right.OID), oid(o.Result.OID), oid(com), oid(neg), oid(o.Func.OID), oid(0), oid(0)}) {
			return nil
		}
	}
	return nil
}

// firstCastOID numbers the rows of pg_cast. PostgreSQL numbers them when a cluster is made.
const firstCastOID OID = 10200

func pgCast(_ *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	for i, c := range funcs.Casts() {
		if !filter.allowsOID(2, c.Source.OID) || !filter.allowsOID(3, c.Target.OID) {
			continue
		}
		f, method := OID(0), byte('b')
		if c.InOut {
			method = 'i'
		} else if c.Func != nil {
			f, method = c.Func.OID, 'f'
		}
		if !emit([]datum{oid(firstCastOID + OID(i)), oid(c.Source.OID), oid(c.Target.OID), oid(f), char(byte(c.Context)), char(method)}) {
			return nil
		}
	}
	return nil
}

// pgAggregate has no support functions to show: aggregates are not made of functions here.
func pgAggregate(_ *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	for _, f := range funcs.All() {
		if f.Kind != 'a' || !filter.allowsOID(1, f.OID) {
			continue
		}
		if !emit([]datum{oid(f.OID), char('n'), integer(0), oid(0), oid(0), oid(0), oid(0), oid(0), oid(0), oid(0), oid(0), boolean(false), boolean(false),
			char('r'), char('r'), oid(0), oid(f.Result.OID), integer(0), oid(0), integer(0), null, null}) {
			return nil
		}
	}
	return nil
}

var operatorFamilies = fixedRowsOf("pg_amop")

// pgAmop shows the members of operator families that are there.
func pgAmop(_ *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	const operator = 6
	present := map[OID]bool{}
	for _, o := range funcs.Operators() {
		present[o.OID] = true
	}
	rows, err := operatorFamilies()
	for _, r := range rows {
		if present[OID(r[operator].Int())] && filter.accepts(r) && !emit(r) {
			return nil
		}
	}
	return err
}
