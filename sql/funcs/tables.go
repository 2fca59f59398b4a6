package funcs

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"holdfast/sql/types"
)

// PostgreSQL's facts about its functions, operators and casts, written by data/generate.sh.
var (
	//go:embed data/proc.tsv
	procTable string
	//go:embed data/operator.tsv
	operatorTable string
	//go:embed data/cast.tsv
	castTable string
)

// newAggregate makes the state of an aggregate for concrete argument and result types.
type newAggregate = func(args []*types.Type, result *types.Type) Aggregate

// Implementations by the function's source (pg_proc.prosrc: what PostgreSQL calls the code, which several
// functions may share) or, where that says nothing, by signature: "lpad(text,int4)".
type (
	kernels    map[string]Kernel
	setKernels map[string]RowsFunc
	aggregates map[string]newAggregate
)

type implementations struct {
	kernels    kernels
	rows       setKernels
	aggregates aggregates
	used       map[string]bool
	signed     map[string]bool // names of functions that have an implementation by signature
}

// signatures finds the functions with implementations by signature, so that the others need not be spelt out.
func (im *implementations) signatures() {
	im.signed = map[string]bool{}
	mark := func(key string) {
		if name, _, ok := strings.Cut(key, "("); ok {
			im.signed[name] = true
		}
	}
	for key := range im.kernels {
		mark(key)
	}
	for key := range im.rows {
		mark(key)
	}
	for key := range im.aggregates {
		mark(key)
	}
}

func (im *implementations) add(k kernels) {
	for name, f := range k {
		if im.kernels[name] != nil {
			panic("funcs: two implementations of " + name)
		}
		im.kernels[name] = f
	}
}

func init() {
	im := &implementations{kernels: kernels{}, rows: setReturning(), aggregates: aggregateFuncs(), used: map[string]bool{}}
	for _, k := range scalarFuncs() {
		im.add(k)
	}
	im.signatures()
	procs := make(map[types.OID]*Func, 3200)
	for line := range strings.Lines(procTable) {
		if f := parseProc(line); f != nil {
			im.implement(f)
			procs[f.OID] = f
			known[f.Name] = append(known[f.Name], f)
			if f.implemented() {
				byOID[f.OID] = f
				byName[f.Name] = append(byName[f.Name], f)
				allFuncs = append(allFuncs, f)
			}
		}
	}
	im.checkUsed()
	for line := range strings.Lines(operatorTable) {
		loadOperator(line, procs)
	}
	for line := range strings.Lines(castTable) {
		loadCast(line, procs)
	}
}

var tableUnescape = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r")

func parseProc(line string) *Func {
	c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
	if len(c) != 14 {
		panic("funcs: bad line in proc.tsv: " + line)
	}
	f := &Func{
		OID: parseOID(c[0]), Name: c[1], Kind: c[2][0], Strict: c[3] == "t", ReturnsSet: c[4] == "t", Volatility: c[5][0],
		Variadic: c[7] != "", Result: types.ByName(c[8]), Source: c[10],
	}
	if strings.Contains(f.Source, `\`) {
		f.Source = tableUnescape.Replace(f.Source)
	}
	f.Defaults, _ = strconv.Atoi(c[6])
	var ok bool
	if f.Args, ok = typesByName(c[9]); !ok || f.Result == nil {
		return nil
	}
	if c[11] != "" {
		f.ArgNames = strings.Split(c[11], " ")
	}
	if c[13] != "" {
		if f.OutTypes, ok = typesByName(c[13]); !ok {
			return nil
		}
		f.OutNames = strings.Split(c[12], " ")
	}
	f.DefaultValues = namedDefaults[f.Name]
	return f
}

// namedDefaults are the default values of functions with named arguments.
var namedDefaults = map[string][]types.Datum{
	"make_interval": {types.NewInt(0), types.NewInt(0), types.NewInt(0), types.NewInt(0), types.NewInt(0), types.NewInt(0), types.NewFloat(0)},
	"jsonb_set":     {types.NewBool(true)},
	"jsonb_insert":  {types.NewBool(false)},
	"parse_ident":   {types.NewBool(true)},
	"normalize":     {types.NewString("NFC")},
	"is_normalized": {types.NewString("NFC")},
}

func parseOID(s string) types.OID {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		panic(err)
	}
	return types.OID(n)
}

func typesByName(names string) ([]*types.Type, bool) {
	if names == "" {
		return nil, true
	}
	var ts []*types.Type
	for name := range strings.SplitSeq(names, " ") {
		t := types.ByName(name)
		if t == nil {
			return nil, false
		}
		ts = append(ts, t)
	}
	return ts, true
}

// signature is name(types), with internal type names.
func (f *Func) signature() string {
	var b strings.Builder
	b.WriteString(f.Name)
	b.WriteByte('(')
	for i, t := range f.Args {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(t.Name)
	}
	b.WriteByte(')')
	return b.String()
}

func (im *implementations) implement(f *Func) {
	for i, key := range [2]string{f.Name, f.Source} {
		if i == 0 {
			if !im.signed[f.Name] {
				continue
			}
			key = f.signature()
		}
		switch {
		case f.Kind == 'a':
			f.NewAgg = im.aggregates[key]
		case f.ReturnsSet:
			f.Rows = im.rows[key]
		default:
			f.Kernel = im.kernels[key]
		}
		if f.implemented() {
			im.used[key] = true
			return
		}
	}
	if f.Kind == 'f' && !f.ReturnsSet {
		f.Kernel = ioKernel(f)
	}
}

// checkUsed makes a misspelt name a failure at start instead of a function that is silently missing.
func (im *implementations) checkUsed() {
	var unused []string
	for name := range im.kernels {
		unused = append(unused, name)
	}
	for name := range im.rows {
		unused = append(unused, name)
	}
	for name := range im.aggregates {
		unused = append(unused, name)
	}
	unused = slices.DeleteFunc(unused, func(name string) bool { return im.used[name] })
	if len(unused) > 0 {
		slices.Sort(unused)
		panic("funcs: no function for the implementations of " + strings.Join(unused, ", "))
	}
}

func loadOperator(line string, procs map[types.OID]*Func) {
	c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
	if len(c) != 10 {
		panic("funcs: bad line in operator.tsv: " + line)
	}
	o := &Operator{OID: parseOID(c[0]), Name: c[1], Left: types.ByName(c[2]), Right: types.ByName(c[3]), Result: types.ByName(c[4]),
		Func: procs[parseOID(c[5])], Commutator: c[6], Negator: c[7], Hashable: c[9] == "t"}
	o.Strategy, _ = strconv.Atoi(c[8])
	if o.Left == nil && c[2] != "" || o.Right == nil || o.Result == nil || o.Func == nil {
		return
	}
	knownOperators[o.Name] = append(knownOperators[o.Name], o)
	if !o.Func.implemented() {
		return
	}
	operators = append(operators, o)
	if o.Left == o.Right && o.Left != nil {
		switch {
		case o.Strategy == 1:
			orderingOf[o.Left.OID] = o
		case o.Strategy == 3, o.Name == "=" && o.Hashable && equalityOf[o.Left.OID] == nil: // xid has no order
			equalityOf[o.Left.OID] = o
		}
	}
}

func loadCast(line string, procs map[types.OID]*Func) {
	c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
	if len(c) != 5 {
		panic("funcs: bad line in cast.tsv: " + line)
	}
	k := &Cast{Source: types.ByName(c[0]), Target: types.ByName(c[1]), Context: CastContext(c[3][0])}
	if k.Source == nil || k.Target == nil {
		return
	}
	switch c[4] {
	case "f":
		if k.Func = procs[parseOID(c[2])]; k.Func == nil {
			panic(fmt.Sprintf("funcs: no function for the cast from %s to %s", c[0], c[1]))
		}
	case "b":
		k.Binary = true
	case "i":
		k.InOut = true
	}
	castOf[[2]types.OID{k.Source.OID, k.Target.OID}] = k
	if k.Func == nil || k.Func.implemented() || k.Source == k.Target {
		casts = append(casts, k)
	}
}
