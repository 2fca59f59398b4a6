package types

import (
	"context"
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"

	"holdfast/sql/errs"
)

// The binary forms are those that PostgreSQL sends. Lines: TYPE, INPUT, =, hexadecimal digits.
func TestGoldenBinary(t *testing.T) {
	const name = "testdata/binary.txt"
	lines := readGolden(t, name)
	if *record != "" {
		r := newRecorder(t)
		r.exec(t, testTypesSQL)
		for i, l := range lines {
			if l.fields == nil {
				continue
			}
			typ := l.fields[0]
			if testTypes[strings.TrimSuffix(typ, "[]")] != nil {
				typ = "pg_temp." + typ
			}
			if typ == "char" {
				typ = `"char"`
			}
			res := r.conn.ExecParams(context.Background(), "select $1::text::"+typ, [][]byte{[]byte(l.fields[1])}, nil, nil, []int16{1}).Read()
			var e *pgconn.PgError
			if errors.As(res.Err, &e) {
				t.Fatalf("%v: %v", l.fields, e)
			}
			lines[i].fields = []string{l.fields[0], l.fields[1], "=", hex.EncodeToString(res.Rows[0][0])}
		}
		writeGolden(t, name, lines)
	}
	for _, l := range lines {
		if l.fields == nil {
			continue
		}
		typ, mod := testType(t, l.fields[0])
		d, err := ParseText(typ, mod, l.fields[1], DefaultEnv)
		if err != nil {
			t.Errorf("%q: %v", l.fields, err)
			continue
		}
		text := string(AppendText(nil, typ, d, DefaultEnv))
		if got := hex.EncodeToString(AppendBinary(nil, typ, d)); got != l.fields[3] {
			t.Errorf("%s %q\n got %s\nwant %s", l.fields[0], l.fields[1], got, l.fields[3])
		}
		b, err := hex.DecodeString(l.fields[3])
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseBinary(typ, mod, b)
		if err != nil {
			t.Errorf("%q: %v", l.fields, err)
			continue
		}
		if got := string(AppendText(nil, typ, back, DefaultEnv)); got != text {
			t.Errorf("%q comes back as %q", text, got)
		}
		for n := range b { // cut anywhere it is an error or another value, but never a panic
			if _, err := ParseBinary(typ, mod, b[:n]); err != nil {
				if c := errs.CodeOf(err); c == errs.InternalError && typ != JSONB {
					t.Errorf("%q cut at %d: %v", l.fields, n, err)
				}
			}
		}
	}
}

// Values come back from their text and binary forms as they were.
func TestRoundTrip(t *testing.T) {
	forEachType(t, func(t *rapid.T, typ *Type) {
		d := genDatum(t, typ)
		b := AppendBinary(nil, typ, d)
		v := NewVec(typ, 2)
		v.Set(1, d)
		if got := AppendBinaryVec(nil, v, 1); string(got) != string(b) {
			t.Fatalf("AppendBinaryVec %x, AppendBinary %x", got, b)
		}
		text := AppendText(nil, typ, d, DefaultEnv)
		if got := AppendTextVec(nil, v, 1, DefaultEnv); string(got) != string(text) {
			t.Fatalf("AppendTextVec %s, AppendText %s", got, text)
		}
		if strings.IndexByte(string(text), 0) >= 0 && typ != Bytea {
			return // no text has a zero byte; the generator makes them for the keys' sake
		}
		if back, err := ParseBinary(typ, NoTypmod, b); err != nil {
			if CheckText(string(text)) == nil {
				t.Fatalf("%s: binary %x: %v", text, b, err)
			}
		} else if !sameDatum(typ, back, d) {
			t.Fatalf("%s comes back from %x as %s", text, b, AppendText(nil, typ, back, DefaultEnv))
		}
		back, err := ParseText(typ, NoTypmod, string(text), DefaultEnv)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !sameDatum(typ, back, d) {
			t.Fatalf("%s comes back as %s", text, AppendText(nil, typ, back, DefaultEnv))
		}
	})
}

func FuzzParseText(f *testing.F) {
	files, err := filepath.Glob("testdata/text_*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		for i, l := range readGolden(f, name) {
			if l.fields != nil && i%5 == 0 {
				f.Add(uint8(i), l.fields[1])
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, s string) {
		typ := genTypes[int(which)%len(genTypes)]
		env := *DefaultEnv
		env.IntervalStyle = IntervalStyle(which % 4)
		env.DateOrder = DateOrder(which % 3)
		d, err := ParseText(typ, NoTypmod, s, &env)
		if err != nil {
			if errs.CodeOf(err) == errs.InternalError {
				t.Fatal(err)
			}
			return
		}
		text := string(AppendText(nil, typ, d, DefaultEnv))
		back, err := ParseText(typ, NoTypmod, text, DefaultEnv)
		if err != nil {
			t.Fatalf("%s %q gives %q: %v", typ, s, text, err)
		}
		if v, ok := d.Any().(TimeTZ); ok && (v.Zone >= 16*3600 || v.Zone <= -16*3600) {
			return // of a POSIX zone; its text reads as something else, in PostgreSQL too
		}
		if again := string(AppendText(nil, typ, back, DefaultEnv)); again != text {
			t.Fatalf("%s %q gives %q and then %q", typ, s, text, again)
		}
		_ = AppendBinary(nil, typ, d)
	})
}

func FuzzParseBinary(f *testing.F) {
	for i, l := range readGolden(f, "testdata/binary.txt") {
		if l.fields != nil {
			b, err := hex.DecodeString(l.fields[3])
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), b)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		typ := genTypes[int(which)%len(genTypes)]
		d, err := ParseBinary(typ, NoTypmod, b)
		if err != nil {
			return
		}
		again, err := ParseBinary(typ, NoTypmod, AppendBinary(nil, typ, d))
		if err != nil {
			t.Fatal(err)
		}
		x, y := AppendText(nil, typ, d, DefaultEnv), AppendText(nil, typ, again, DefaultEnv)
		if string(x) != string(y) {
			t.Fatalf("%s and then %s", x, y)
		}
	})
}
