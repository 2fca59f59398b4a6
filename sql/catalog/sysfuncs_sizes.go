package catalog

import (
	"math/big"
	"strconv"
	"strings"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// The functions about sizes. The size of a table is that of its keys and values before compression, as counted
// live (see TableStats); an index is taken to have an entry for each row, of the bytes its columns need on
// average. What is on disk differs: rows are compressed, and old versions stay until they are compacted.
func init() {
	registerFunc("pg_relation_size", relationSize(false, true), 2325)
	registerFunc("pg_relation_size", relationForkSize, 2332)
	registerFunc("pg_table_size", relationSize(false, true), 2997)
	registerFunc("pg_indexes_size", relationSize(true, false), 2998)
	registerFunc("pg_total_relation_size", relationSize(true, true), 2286)
	registerFunc("pg_database_size", databaseSize, 2168, 2324)
	registerFunc("pg_tablespace_size", databaseSize, 2322, 2323)
	registerFunc("pg_relation_filenode", func(c *call) (datum, error) {
		o, ok := c.s.object(c.oid(0))
		if !ok {
			return null, nil
		}
		if file := c.s.classRow(o)[7]; file.Int() != 0 {
			return file, nil
		}
		return null, nil
	}, 2999)
	registerFunc("pg_stat_get_live_tuples", func(c *call) (datum, error) { return integer(c.s.Stats(c.oid(0)).Rows()), nil }, 2878)
	registerFunc("pg_size_pretty", sizePretty, 2288)
	registerFunc("pg_size_pretty", sizePrettyNumeric, 3166)
	registerFunc("pg_size_bytes", sizeBytes, 3334)
}

// indexSize estimates the bytes of an index.
func (s *Snapshot) indexSize(t *Table, x *Index) int64 {
	if x.Primary {
		return 0 // it is the table
	}
	const prefix, variable = 4, 16
	entry := int64(prefix)
	for _, c := range s.attributes(object{table: t, index: x}) {
		if c.Type.Len > 0 {
			entry += int64(c.Type.Len)
		} else {
			entry += variable
		}
	}
	return entry * s.Stats(t.OID).Rows()
}

// sizes are the bytes of a relation and of its indexes; false if there is no such relation.
func (s *Snapshot) sizes(id OID) (rows, indexes int64, ok bool) {
	if t, x := s.IndexByOID(id); x != nil {
		return s.indexSize(t, x), 0, true
	}
	t := s.RelationByOID(id)
	if t == nil {
		return 0, 0, false
	}
	if t.OID < FirstUserOID || t.Kind != KindTable {
		return 0, 0, true
	}
	for _, x := range t.Indexes {
		indexes += s.indexSize(t, x)
	}
	return s.Stats(t.OID).Bytes(), indexes, true
}

func relationSize(indexes, rows bool) systemFunc {
	return func(c *call) (datum, error) {
		r, x, ok := c.s.sizes(c.oid(0))
		if !ok {
			return null, nil
		}
		sum := int64(0)
		if rows {
			sum += r
		}
		if indexes {
			sum += x
		}
		return integer(sum), nil
	}
}

func relationForkSize(c *call) (datum, error) {
	switch c.text(1) {
	case "main":
		return relationSize(false, true)(c)
	case "fsm", "vm", "init":
		return integer(0), nil
	}
	return null, errs.New(errs.InvalidParameterValue, "invalid fork name").WithHint(`Valid fork names are "main", "fsm", "vm", and "init".`)
}

func databaseSize(c *call) (datum, error) {
	if c.args[0].Rep() == types.RepString && c.text(0) != c.ctx.Session.Database() && !strings.HasPrefix(c.text(0), "pg_") {
		return null, errs.New(errs.InvalidCatalogName, "database %q does not exist", c.text(0))
	}
	sum := int64(0)
	for _, t := range c.s.Tables() {
		rows, indexes, _ := c.s.sizes(t.OID)
		sum += rows + indexes
	}
	return integer(sum), nil
}

// sizeUnits are the units of pg_size_pretty: one is used up to its limit, in the unit itself, or half units
// where results are rounded.
var sizeUnits = []struct {
	name  string
	limit int64
	round bool
	bits  uint
}{
	{"bytes", 10 * 1024, false, 0}, {"kB", 20*1024 - 1, true, 10}, {"MB", 20*1024 - 1, true, 20}, {"GB", 20*1024 - 1, true, 30},
	{"TB", 20*1024 - 1, true, 40}, {"PB", 20*1024 - 1, true, 50},
}

func prettySize(size *big.Int) string {
	n := new(big.Int).Set(size)
	for i, u := range sizeUnits {
		last := i == len(sizeUnits)-1
		if !last && new(big.Int).Abs(n).Cmp(big.NewInt(u.limit)) >= 0 {
			next := sizeUnits[i+1]
			bits := next.bits - u.bits
			if next.round {
				bits--
			}
			if u.round {
				bits++
			}
			n.Quo(n, new(big.Int).Lsh(big.NewInt(1), bits))
			continue
		}
		if u.round {
			n.Add(n, big.NewInt(int64(n.Sign()|1)))
			n.Quo(n, big.NewInt(2))
		}
		return n.String() + " " + u.name
	}
	return ""
}

func sizePretty(c *call) (datum, error) { return text(prettySize(big.NewInt(c.args[0].Int()))), nil }

func sizePrettyNumeric(c *call) (datum, error) {
	s := string(types.AppendText(nil, types.Numeric, c.args[0], types.DefaultEnv))
	whole, _, _ := strings.Cut(s, ".")
	n, ok := new(big.Int).SetString(whole, 10)
	if !ok {
		return null, errs.New(errs.InvalidParameterValue, "invalid size: %q", s)
	}
	if new(big.Int).Abs(n).Cmp(big.NewInt(sizeUnits[0].limit)) < 0 {
		return text(s + " bytes"), nil
	}
	return text(prettySize(n)), nil
}

func sizeBytes(c *call) (datum, error) {
	in := strings.TrimSpace(c.text(0))
	end := 0
	for end < len(in) && (strings.IndexByte("+-.", in[end]) >= 0 || in[end] >= '0' && in[end] <= '9') {
		end++
	}
	value, err := strconv.ParseFloat(in[:end], 64)
	invalid := func() error {
		return errs.New(errs.InvalidParameterValue, "invalid size: %q", c.text(0))
	}
	if err != nil {
		return null, invalid()
	}
	unit := strings.TrimSpace(in[end:])
	if unit == "" || strings.EqualFold(unit, "bytes") || strings.EqualFold(unit, "b") {
		return types.NewInt(int64(value)), nil
	}
	for _, u := range sizeUnits[1:] {
		if strings.EqualFold(unit, u.name) {
			f := new(big.Float).Mul(big.NewFloat(value), new(big.Float).SetInt(new(big.Int).Lsh(big.NewInt(1), u.bits)))
			n, _ := f.Int(nil)
			if !n.IsInt64() {
				return null, errs.New(errs.NumericValueOutOfRange, "bigint out of range")
			}
			return types.NewInt(n.Int64()), nil
		}
	}
	e := invalid().(*errs.Error).WithDetail("Invalid size unit: %q.", unit)
	return null, e.WithHint(`Valid units are "bytes", "B", "kB", "MB", "GB", "TB", and "PB".`)
}
