package types

import (
	"testing"
	"time"

	"holdfast/sql/errs"
)

func testEnv(t *testing.T, zone string) *Env {
	t.Helper()
	loc, err := LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	env := *DefaultEnv
	env.Location = loc
	// 2024-03-01 04:30 UTC is still the leap day in New York.
	env.Now = TimestampFromTime(time.Date(2024, 3, 1, 4, 30, 0, 123456000, time.UTC))
	return &env
}

// The words for the present mean the transaction's time, on the session's clock.
func TestNow(t *testing.T) {
	env := testEnv(t, "America/New_York")
	for _, c := range []struct {
		typ         *Type
		input, want string
	}{
		{TimestampTZ, "now", "2024-02-29 23:30:00.123456-05"},
		{Timestamp, "now", "2024-02-29 23:30:00.123456"},
		{Date, "now", "2024-02-29"},
		{Time, "now", "23:30:00.123456"},
		{TimeTZType, "now", "23:30:00.123456-05"},
		{Date, "today", "2024-02-29"},
		{Date, "tomorrow", "2024-03-01"},
		{Date, "yesterday", "2024-02-28"},
		{TimestampTZ, "today", "2024-02-29 00:00:00-05"},
		{Timestamp, "tomorrow 10:00", "2024-03-01 10:00:00"},
		{TimestampTZ, "yesterday allballs", "2024-02-27 19:00:00-05"},
		{TimeTZType, "10:00", "10:00:00-05"},
	} {
		d, err := ParseText(c.typ, NoTypmod, c.input, env)
		if err != nil {
			t.Errorf("%s %q: %v", c.typ, c.input, err)
			continue
		}
		if got := string(AppendText(nil, c.typ, d, env)); got != c.want {
			t.Errorf("%s %q is %s, want %s", c.typ, c.input, got, c.want)
		}
	}
}

// The quick reader of ISO dates agrees with the full one.
func TestISOFastPath(t *testing.T) {
	env := testEnv(t, "Europe/Berlin")
	for _, s := range []string{
		"2024-02-29", "2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01", "0001-01-01", "9999-12-31 23:59:59.999999",
		"2024-03-31 02:30:00", "2024-10-27 02:30:00", "2024-10-27 02:30:00+01", "2024-10-27 02:30:00-03:30", "2024-10-27 02:30:00+16",
		"2024-10-27 02:30:00+1", "2024-10-27 02:30:00+0100", "2024-10-27 24:00:00", "2024-10-27 23:60:00", "2024-10-27 23:59:60",
		"2024-10-27 2:30:00", "2024-10-27 02:30:00.5", "2024-10-27 02:30:00.1234567", "2024-10-27 02:30:00.", "2024-10-27 02:30",
		"2024-10-27T02:30:00", "2024-10-27 02:30:00 BC", "2024-10-27 02:30:00+01:", "2024-1x-27", "2024-10-27 ", "2024-10-27 02:3x:00",
	} {
		fast, ok := parseISOTimestamp(s)
		d, e := decodeDateTime(s, env, false)
		if !ok {
			continue
		}
		if e != dateOK {
			t.Errorf("%q is accepted, but is error %d", s, e)
			continue
		}
		if days := DaysFromCivil(d.c.Year, d.c.Month, d.c.Day); fast.days != days || fast.micros != d.c.TimeOfDay() {
			t.Errorf("%q: %d %d, want %d %d", s, fast.days, fast.micros, days, d.c.TimeOfDay())
		}
		if fast.hasZone && fast.offset != d.offset {
			t.Errorf("%q: offset %d, want %d", s, fast.offset, d.offset)
		}
	}
	for _, s := range []string{"2024-02-29", "2024-10-27 02:30:00+01", "2024-10-27 02:30:00.123456"} {
		if _, ok := parseISOTimestamp(s); !ok {
			t.Errorf("%q is not read quickly", s)
		}
	}
}

type testDirectory struct{}

func (testDirectory) LookupReg(t *Type, name string) (OID, error) {
	if t == Regclass && name == "branch" {
		return 16384, nil
	}
	return 0, errs.New(errs.UndefinedTable, "relation \"%s\" does not exist", name)
}

func (testDirectory) RegName(t *Type, oid OID) (string, bool) { return "branch", oid == 16384 }

func TestRegTypes(t *testing.T) {
	env := *DefaultEnv
	env.Names = testDirectory{}
	for _, c := range []struct{ input, want string }{
		{"branch", "branch"}, {"16384", "branch"}, {"99", "99"}, {"-", "-"}, {"0", "-"},
	} {
		d, err := ParseText(Regclass, NoTypmod, c.input, &env)
		if err != nil {
			t.Errorf("%q: %v", c.input, err)
			continue
		}
		if got := string(AppendText(nil, Regclass, d, &env)); got != c.want {
			t.Errorf("%q is %q, want %q", c.input, got, c.want)
		}
	}
	if _, err := ParseText(Regclass, NoTypmod, "nothing", &env); errs.CodeOf(err) != errs.UndefinedTable {
		t.Errorf("unknown name: %v", err)
	}
}

// A cast cuts what is too long; an assignment refuses it, unless it is blanks.
func TestApplyTypmodExplicit(t *testing.T) {
	for _, c := range []struct {
		typ      *Type
		mod      int32
		in       string
		cast     string
		assigned string
	}{
		{Varchar, 4 + 3, "abcdef", "abc", ""},
		{Varchar, 4 + 3, "abc   ", "abc", "abc"},
		{Varchar, 4 + 3, "äöüß", "äöü", ""},
		{Varchar, 4 + 3, "ab", "ab", "ab"},
		{Bpchar, 4 + 4, "ab", "ab  ", "ab  "},
		{Bpchar, 4 + 2, "abc", "ab", ""},
		{Bit, 3, "10", "100", ""},
		{VarBit, 3, "10101", "101", ""},
	} {
		d, err := ApplyTypmod(c.typ, c.mod, NewString(c.in), true)
		if err != nil || d.Str() != c.cast {
			t.Errorf("cast of %q to %s: %q %v, want %q", c.in, FormatType(c.typ, c.mod), d.Str(), err, c.cast)
		}
		d, err = ApplyTypmod(c.typ, c.mod, NewString(c.in), false)
		if c.assigned == "" && err == nil || c.assigned != "" && (err != nil || d.Str() != c.assigned) {
			t.Errorf("assignment of %q to %s: %q %v", c.in, FormatType(c.typ, c.mod), d.Str(), err)
		}
	}
	if d, err := ApplyTypmod(Varchar, 7, Null, false); err != nil || !d.IsNull() {
		t.Error("NULL does not stay NULL")
	}
}

// The table of types is whole: every array has its element and the reverse, and all variables are set.
func TestBuiltinTable(t *testing.T) {
	for _, typ := range All() {
		if ByOID(typ.OID) != typ || ByName(typ.Name) != typ {
			t.Errorf("%s is not found", typ)
		}
		if typ.Array != nil && typ.Array.Elem != typ {
			t.Errorf("%s has array %s of %v", typ, typ.Array, typ.Array.Elem)
		}
		if typ.IsArray() && typ.Elem.Array != typ {
			t.Errorf("%s is not the array of its element", typ)
		}
		if typ.Name[0] == '_' != typ.IsArray() {
			t.Errorf("%s: IsArray is %v", typ, typ.IsArray())
		}
	}
	if ByOID(1) != nil || ByName("nothing") != nil {
		t.Error("a type that is not there is found")
	}
	for name, typ := range map[string]*Type{"int4": Int4, "_int4": Int4Array, "timetz": TimeTZType, "record": RecordType, "char": CharQuoted} {
		if typ == nil || typ.Name != name {
			t.Errorf("%s is %v", name, typ)
		}
	}
}

func TestCheckText(t *testing.T) {
	for in, want := range map[string]string{
		"ok é日😀":    "",
		"a\x00b":    `invalid byte sequence for encoding "UTF8": 0x00`,
		"a\xff":     `invalid byte sequence for encoding "UTF8": 0xff`,
		"a\xe6\x97": `invalid byte sequence for encoding "UTF8": 0xe6 0x97`,
		"\xc3(":     `invalid byte sequence for encoding "UTF8": 0xc3 0x28`,
	} {
		err := CheckText(in)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
}
