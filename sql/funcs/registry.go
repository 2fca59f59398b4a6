package funcs

import (
	"fmt"

	"holdfast/sql/types"
)

var (
	allFuncs  []*Func
	byName    = map[string][]*Func{}
	byOID     = map[types.OID]*Func{}
	operators []*Operator
	casts     []*Cast
)

// Register adds a function. It is for init functions: the registry is read without locks afterwards.
func Register(f *Func) {
	if old := byOID[f.OID]; old != nil {
		panic(fmt.Sprintf("funcs: functions %s and %s have the same OID %d", old.Name, f.Name, f.OID))
	}
	byOID[f.OID] = f
	byName[f.Name] = append(byName[f.Name], f)
	allFuncs = append(allFuncs, f)
}

// Lookup is the functions of a name, not qualified.
func Lookup(name string) []*Func { return byName[name] }

// ByOID is the function with an OID, nil if there is none.
func ByOID(oid types.OID) *Func { return byOID[oid] }

// All is every function. The slice must not be changed.
func All() []*Func { return allFuncs }

// Operators is every operator. The slice must not be changed.
func Operators() []*Operator { return operators }

// Casts is every cast of the catalog. The slice must not be changed.
func Casts() []*Cast { return casts }
