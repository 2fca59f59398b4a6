package funcs

import (
	"fmt"

	"holdfast/sql/types"
)

// The registry. known additionally holds the functions that PostgreSQL has and that are not implemented:
// resolution chooses among all of them, so that it chooses what PostgreSQL does, and then says what is missing.
var (
	allFuncs  []*Func
	byName    = map[string][]*Func{}
	byOID     = map[types.OID]*Func{}
	operators []*Operator
	casts     []*Cast

	known          = map[string][]*Func{}
	knownOperators = map[string][]*Operator{}
	castOf         = map[[2]types.OID]*Cast{}
	equalityOf     = map[types.OID]*Operator{} // by type, = of the type with itself
	orderingOf     = map[types.OID]*Operator{}
)

// Register adds a function, or replaces one that was known without an implementation. It is for init
// functions: the registry is read without locks afterwards.
func Register(f *Func) {
	if old := byOID[f.OID]; old != nil {
		panic(fmt.Sprintf("funcs: functions %s and %s have the same OID %d", old.Name, f.Name, f.OID))
	}
	byOID[f.OID] = f
	byName[f.Name] = append(byName[f.Name], f)
	allFuncs = append(allFuncs, f)
	for i, k := range known[f.Name] {
		if k.OID == f.OID {
			known[f.Name][i] = f
			return
		}
	}
	known[f.Name] = append(known[f.Name], f)
}

// Lookup is the functions of a name, not qualified.
func Lookup(name string) []*Func { return byName[name] }

// ByOID is the function with an OID, nil if there is none.
func ByOID(oid types.OID) *Func { return byOID[oid] }

// Known is what PostgreSQL says of a function it has, whether implemented here (then it is the one ByOID
// returns) or not; nil if there is none.
func Known(name string, oid types.OID) *Func {
	for _, f := range known[name] {
		if f.OID == oid {
			return f
		}
	}
	return nil
}

// All is every function. The slice must not be changed.
func All() []*Func { return allFuncs }

// Operators is every operator. The slice must not be changed.
func Operators() []*Operator { return operators }

// Casts is every cast of the catalog. The slice must not be changed.
func Casts() []*Cast { return casts }

// implemented reports whether a function can be called, or need not be: those that take or return internal
// are there for the catalog, and no expression can have such an argument.
func (f *Func) implemented() bool {
	if f.Kernel != nil || f.NewAgg != nil || f.Rows != nil || f.Kind == 'w' {
		return true
	}
	return false
}
