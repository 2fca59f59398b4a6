package catalog

import (
	"fmt"
	"slices"
	"strings"

	"holdfast/sql/types"
)

// OIDs of catalogs, as pg_description and pg_depend name them.
const (
	pgTypeOID           OID = 1247
	pgProcOID           OID = 1255
	pgClassOID          OID = 1259
	pgAuthidOID         OID = 1260
	pgAttrdefOID        OID = 2604
	pgConstraintOID     OID = 2606
	pgNamespaceOID      OID = 2615
	pgOperatorOID       OID = 2617
	pgRewriteOID        OID = 2618
	heapOID             OID = 2
	btreeOID            OID = 403
	defaultCollationOID OID = 100
)

func init() {
	registerRows("pg_namespace", pgNamespace)
	registerRows("pg_class", pgClass)
	registerRows("pg_attribute", pgAttribute)
	registerRows("pg_attrdef", pgAttrdef)
	registerRows("pg_index", pgIndex)
	registerRows("pg_sequence", pgSequence)
	registerRows("pg_rewrite", pgRewrite)
}

func pgNamespace(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	for _, n := range v.Snapshot.Schemas() {
		acl := null
		if n.OID == PublicOID { // everybody may use it, which is not the default for schemas
			owner := types.QuoteIdentifier(v.Snapshot.roleName(n.Owner))
			acl = array(types.AclItem, []string{owner + "=UC/" + owner, "=U/" + owner}, text)
		}
		if filter.allowsOID(1, n.OID) && !emit([]datum{oid(n.OID), text(n.Name), oid(n.Owner), acl}) {
			return nil
		}
	}
	return nil
}

func pgClass(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	s.objects(filter, 1, func(o object) bool {
		if !filter.allowsName(2, o.name()) || !filter.allowsOID(3, o.schema()) {
			return true
		}
		return emit(s.classRow(o))
	})
	return nil
}

// bytesPerPage is PostgreSQL's block size, in which sizes are shown.
const bytesPerPage = 8192

// classRow is the row of pg_class.
func (s *Snapshot) classRow(o object) []datum {
	c := struct {
		rowType, owner, am, file, toast OID
		pages, tuples                   float64
		hasIndex, rules, triggers       bool
		kind, replica                   byte
		columns, checks                 int
		options                         datum
	}{replica: 'n', tuples: -1, owner: PostgresRoleOID}
	switch {
	case o.index != nil:
		c.kind, c.am, c.columns, c.owner = byte(KindIndex), btreeOID, len(o.index.Keys)+len(o.index.Include), o.table.Owner
		c.file = OID(o.index.Storage)
		if o.index.Primary {
			c.file = OID(o.table.Storage)
		}
		c.tuples = float64(s.Stats(o.table.OID).Rows())
	case o.user != nil:
		c.kind, c.rowType, c.columns, c.owner = byte(KindComposite), o.user.OID, len(o.user.Columns), o.user.Owner
	default:
		t := o.table
		c.kind, c.rowType, c.columns, c.hasIndex, c.owner = byte(t.Kind), t.RowType, len(t.Columns), len(t.Indexes) > 0, t.Owner
		switch t.Kind {
		case KindTable:
			c.am, c.replica, c.file = heapOID, 'd', OID(t.Storage)
			if t.OID < FirstUserOID {
				c.file = t.OID
				break
			}
			stats := s.Stats(t.OID)
			c.tuples, c.pages = float64(stats.Rows()), float64((stats.Bytes()+bytesPerPage-1)/bytesPerPage)
			for _, k := range t.Constraints {
				if k.Kind == CheckConstraint {
					c.checks++
				}
				c.triggers = c.triggers || k.Kind == ForeignKeyConstraint
			}
			c.triggers = c.triggers || len(t.Referencing) > 0 || len(s.AssertionsOn(t.OID)) > 0 // see pgTrigger
		case KindView:
			c.rules = true
			if t.View != nil {
				if list := t.View.Options(); len(list) > 0 {
					c.options = array(types.Text, list, text)
				}
			}
		case KindSequence:
			c.file, c.pages, c.tuples = OID(t.Sequence.Storage), 1, 1
		}
	}
	return []datum{oid(o.oid()), text(o.name()), oid(o.schema()), oid(c.rowType), oid(0), oid(c.owner), oid(c.am), oid(c.file), oid(0),
		types.NewInt(int64(c.pages)), float(c.tuples), integer(0), oid(c.toast), boolean(c.hasIndex), boolean(false), char('p'), char(c.kind),
		integer(c.columns), integer(c.checks), boolean(c.rules), boolean(c.triggers), boolean(false), boolean(false), boolean(false),
		boolean(true), char(c.replica), boolean(false), oid(0), oid(0), oid(0), null, c.options, null}
}

func pgAttribute(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	s.objects(filter, 1, func(o object) bool {
		for i, c := range s.attributes(o) {
			if !filter.allowsName(2, c.Name) || !filter.allows(6, integer(i+1)) {
				continue
			}
			if !emit(s.attributeRow(o.oid(), i+1, c)) {
				return false
			}
		}
		return true
	})
	return nil
}

// attributes are the columns of an object of pg_class: those of an index are made from its keys.
func (s *Snapshot) attributes(o object) []*Column {
	switch {
	case o.user != nil:
		return o.user.Columns
	case o.index == nil:
		return o.table.Columns
	}
	var cols []*Column
	for _, k := range o.index.Keys {
		if c := o.table.Attribute(k.Column); c != nil {
			cols = append(cols, &Column{Name: c.Name, Type: c.Type, Mod: c.Mod, Collation: c.Collation})
			continue
		}
		name := "expr"
		if isCall(k.Expr) {
			name = strings.Trim(k.Expr[:strings.IndexByte(k.Expr, '(')], `"`)
			name = name[strings.LastIndexByte(name, '.')+1:]
		}
		unique := name
		for i := 1; slices.ContainsFunc(cols, func(c *Column) bool { return c.Name == unique }); i++ {
			unique = fmt.Sprint(name, i)
		}
		t := k.Type
		if t == nil {
			t = types.Text
		}
		cols = append(cols, &Column{Name: unique, Type: t, Mod: types.NoTypmod})
	}
	for _, n := range o.index.Include {
		if c := o.table.Attribute(n); c != nil {
			cols = append(cols, &Column{Name: c.Name, Type: c.Type, Mod: c.Mod, Collation: c.Collation})
		}
	}
	return cols
}

// attributeRow is the row of pg_attribute.
func (s *Snapshot) attributeRow(rel OID, number int, c *Column) []datum {
	name, typ, dims, missing := c.Name, c.Type.OID, 0, null
	if c.Dropped {
		name, typ = fmt.Sprintf("........pg.dropped.%d........", number), 0
	}
	if c.Type.IsArray() {
		dims = 1
	}
	if !c.Missing.IsNull() && !c.Dropped {
		missing = types.NewAny(types.NewSlice(c.Type, []datum{c.Missing}))
	}
	generated := byte(0)
	if c.Generated != "" {
		generated = 's'
	}
	return []datum{oid(rel), text(name), oid(typ), integer(-1), integer(c.Type.Len), integer(number), integer(dims), integer(-1), integer(c.Mod),
		boolean(c.Type.ByVal), char(c.Type.Align), char(s.typeStorage(c.Type)), text(""), boolean(c.NotNull && !c.Dropped),
		boolean((c.Default != "" || c.Generated != "") && !c.Dropped), boolean(!missing.IsNull()), optionalChar(c.Identity),
		optionalChar(generated), boolean(c.Dropped), boolean(true), integer(0), oid(s.columnCollation(c)), null, null, null, missing}
}

// columnCollation is the OID of a column's collation, 0 if its type has none.
func (s *Snapshot) columnCollation(c *Column) OID {
	if c.Collation == "" || c.Type.Collation == 0 {
		return c.Type.Collation
	}
	if oid := CollationOID(c.Collation); oid != 0 {
		return oid
	}
	return c.Type.Collation
}

// attrdefOID is the OID of a column's default in pg_attrdef. Defaults are parts of their table and have no
// stored OID; this one is unique as long as fewer than a million OIDs are in use.
func attrdefOID(table OID, column int16) OID { return 1<<31 | (table&(1<<20-1))<<11 | OID(column) }

// ruleOID is the OID of a view's rule in pg_rewrite: see attrdefOID.
func ruleOID(view OID) OID { return attrdefOID(view, 0) }

// ofAttrdef takes an attrdefOID apart.
func (s *Snapshot) ofAttrdef(oid OID) (*Table, *Column) {
	if oid>>31 == 0 {
		return nil, nil
	}
	t := s.relations[oid>>11&(1<<20-1)]
	if t == nil {
		return nil, nil
	}
	return t, t.Attribute(int16(oid & (1<<11 - 1)))
}

func pgAttrdef(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	s.tables(filter, 2, func(t *Table) bool {
		for _, c := range t.Columns {
			expr := s.DefaultExpr(c, v.path())
			if expr == "" || c.Dropped {
				continue
			}
			if !emit([]datum{oid(attrdefOID(t.OID, c.Number)), oid(t.OID), integer(c.Number), text(expr)}) {
				return false
			}
		}
		return true
	})
	return nil
}

func pgIndex(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	s := v.Snapshot
	column := int16(1)
	if _, ok := filter.oids(1); !ok {
		column = 2
	}
	s.objects(filter, column, func(o object) bool {
		switch {
		case o.index != nil && column == 1:
			return emit(s.indexRow(o.table, o.index))
		case o.table != nil && o.index == nil && column == 2:
			for _, x := range o.table.Indexes {
				if !emit(s.indexRow(o.table, x)) {
					return false
				}
			}
		}
		return true
	})
	return nil
}

// indexRow is the row of pg_index.
func (s *Snapshot) indexRow(t *Table, x *Index) []datum {
	var columns, options []int16
	var collations, classes []OID
	var exprs []string
	for i, c := range s.attributes(object{table: t, index: x}) {
		if i >= len(x.Keys) {
			columns = append(columns, x.Include[i-len(x.Keys)])
			continue
		}
		k := x.Keys[i]
		option := int16(0)
		if k.Desc {
			option |= 1
		}
		if k.NullsFirst {
			option |= 2
		}
		if k.Column == 0 {
			exprs = append(exprs, k.Expr)
		}
		columns, options = append(columns, k.Column), append(options, option)
		collations, classes = append(collations, s.columnCollation(c)), append(classes, operatorClass(c.Type))
	}
	immediate := true
	if x.Constraint != 0 {
		if _, k := s.Constraint(x.Constraint); k != nil {
			immediate = !k.Deferrable
		}
	}
	return []datum{oid(x.OID), oid(t.OID), integer(len(x.Keys) + len(x.Include)), integer(len(x.Keys)), boolean(x.Unique), boolean(x.NullsNotDistinct),
		boolean(x.Primary), boolean(false), boolean(immediate), boolean(false), boolean(!x.Invalid), boolean(false), boolean(true), boolean(true),
		boolean(false), vector(types.Int2, columns, integer[int16]), vector(types.Oid, collations, oid), vector(types.Oid, classes, oid),
		vector(types.Int2, options, integer[int16]), textOrNull(strings.Join(exprs, ", ")), textOrNull(x.Predicate)}
}

func pgSequence(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	v.Snapshot.tables(filter, 1, func(t *Table) bool {
		q := t.Sequence
		return q == nil || emit([]datum{oid(t.OID), oid(q.Type.OID), integer(q.Start), integer(q.Increment), integer(q.Max), integer(q.Min),
			integer(q.Cache), boolean(q.Cycle)})
	})
	return nil
}

func pgRewrite(v *VirtualContext, filter VirtualFilter, emit func([]datum) bool) error {
	v.Snapshot.tables(filter, 3, func(t *Table) bool {
		return t.View == nil || emit([]datum{oid(ruleOID(t.OID)), text("_RETURN"), oid(t.OID), char('1'), char('O'), boolean(true),
			text("<>"), text(t.View.Query)})
	})
	return nil
}
