package history

import (
	"fmt"
	"strconv"
	"strings"
)

// String is the transaction in the notation that Parse reads:
//
//	committed 3 9 order 5: read x [1 2], append x 3, write y 4, delete y, read z -, range a c {a [1], b [2]}
//
// The numbers are Start and End, "order 5" is left out if it is not known, "-" is an absent key or no bound.
func (t Txn) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %d %d", []string{"committed", "aborted", "unknown"}[t.Status], t.Start, t.End)
	if t.Order != 0 {
		fmt.Fprintf(&s, " order %d", t.Order)
	}
	for i, op := range t.Ops {
		s.WriteString([]string{": ", ", "}[min(i, 1)])
		s.WriteString(op.String())
	}
	return s.String()
}

// longText is the length from which a transaction is not shown whole.
const longText = 1500

// about is the transaction, or if that would be long, what it has to do with some keys.
func (t Txn) about(keys map[string]bool) string {
	if text := t.String(); len(text) <= longText {
		return text
	}
	all := t.Ops
	t.Ops = nil
	for _, op := range all {
		if op.Kind != Range && keys[op.Key] {
			t.Ops = append(t.Ops, op)
			continue
		}
		if op.Kind != Range {
			continue
		}
		rows := op.Rows
		op.Rows = nil
		meets := false
		for key := range keys {
			meets = meets || op.Key <= key && (op.End == "" || key < op.End)
		}
		for _, row := range rows {
			if keys[row.Key] {
				op.Rows = append(op.Rows, row)
			}
		}
		if meets {
			t.Ops = append(t.Ops, op)
		}
	}
	return fmt.Sprintf("%s (only what matters here of %d operations)", t, len(all))
}

// String is the operation in the notation of Txn.String.
func (op Op) String() string {
	switch op.Kind {
	case Read:
		return fmt.Sprintf("read %s %s", op.Key, seenText(op.Seen))
	case Append:
		return fmt.Sprintf("append %s %d", op.Key, op.Value)
	case Write:
		return fmt.Sprintf("write %s %d", op.Key, op.Value)
	case Delete:
		return fmt.Sprintf("delete %s", op.Key)
	}
	end := op.End
	if end == "" {
		end = "-"
	}
	var rows []string
	for _, r := range op.Rows {
		rows = append(rows, r.Key+" "+seenText(r.Seen))
	}
	return fmt.Sprintf("range %s %s {%s}", op.Key, end, strings.Join(rows, ", "))
}

func seenText(seen []int64) string {
	if seen == nil {
		return "-"
	}
	return fmt.Sprint(seen)
}

// Parse reads transactions in the notation of Txn.String, one per line; empty lines and lines that begin with
// # are passed over. A line may begin with a name like T3, which means nothing: transactions are counted.
func Parse(text string) ([]Txn, error) {
	var txns []Txn
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		t, err := parseTxn(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		txns = append(txns, t)
	}
	return txns, nil
}

func parseTxn(line string) (t Txn, err error) {
	p := &parser{rest: line}
	word := p.word()
	if strings.HasPrefix(word, "T") {
		word = p.word()
	}
	status, ok := map[string]Status{"committed": Committed, "aborted": Aborted, "unknown": Unknown}[word]
	if !ok {
		return t, fmt.Errorf("unknown status %q", word)
	}
	t.Status = status
	t.Start, t.End = p.number(), p.number()
	if p.skip("order") {
		t.Order = uint64(p.number())
	}
	if p.skip(":") {
		for {
			t.Ops = append(t.Ops, p.op())
			if !p.skip(",") {
				break
			}
		}
	}
	if p.err == nil && p.rest != "" {
		p.fail("what is %q", p.rest)
	}
	return t, p.err
}

// parser takes the words of a line from left to right and keeps the first error.
type parser struct {
	rest string
	err  error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *parser) skip(token string) bool {
	p.rest = strings.TrimSpace(p.rest)
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *parser) word() string {
	p.rest = strings.TrimSpace(p.rest)
	end := strings.IndexAny(p.rest, " :,[]{}")
	if end < 0 {
		end = len(p.rest)
	}
	if end == 0 {
		p.fail("a word is missing at %q", p.rest)
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	return word
}

func (p *parser) number() int64 {
	n, err := strconv.ParseInt(p.word(), 10, 64)
	if err != nil {
		p.fail("%v", err)
	}
	return n
}

func (p *parser) seen() []int64 {
	if p.skip("-") {
		return nil
	}
	if !p.skip("[") {
		p.fail("a list is missing at %q", p.rest)
	}
	seen := []int64{}
	for p.err == nil && !p.skip("]") {
		seen = append(seen, p.number())
	}
	return seen
}

func (p *parser) op() Op {
	switch kind := p.word(); kind {
	case "read":
		return Op{Kind: Read, Key: p.word(), Seen: p.seen()}
	case "append":
		return Op{Kind: Append, Key: p.word(), Value: p.number()}
	case "write":
		return Op{Kind: Write, Key: p.word(), Value: p.number()}
	case "delete":
		return Op{Kind: Delete, Key: p.word()}
	case "range":
		op := Op{Kind: Range, Key: p.word()}
		if !p.skip("-") {
			op.End = p.word()
		}
		if !p.skip("{") {
			p.fail("rows are missing at %q", p.rest)
		}
		for p.err == nil && !p.skip("}") {
			op.Rows = append(op.Rows, Row{Key: p.word(), Seen: p.seen()})
			p.skip(",")
		}
		return op
	default:
		p.fail("unknown operation %q", kind)
		return Op{}
	}
}
