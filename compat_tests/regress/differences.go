package regress

import (
	"fmt"
	"os"
	"strings"
)

// A difference is one meant difference from PostgreSQL: a hunk of one script, and why it is meant.
//
// They are kept by hand in differences.txt and nowhere else, and no flag writes that file: a difference is
// either decided on or a fault. The file is a list of entries:
//
//	script: NAME
//	reason: why Holdfast differs here, on one or more lines
//	-what PostgreSQL prints
//	+what Holdfast prints
//
// with an empty line between entries. A line starting with # is a remark. An entry stands for every place in its
// script where exactly these lines differ, and for no other.
type difference struct {
	script string
	reason string
	hunk   Hunk
	line   int // in differences.txt
	used   bool
}

// readDifferences reads the file.
func readDifferences(name string) ([]*difference, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var all []*difference
	var open *difference
	finish := func() error {
		if open == nil {
			return nil
		}
		if open.script == "" || open.reason == "" || len(open.hunk.removed)+len(open.hunk.added) == 0 {
			return fmt.Errorf("%s:%d: an entry needs a script, a reason and the lines that differ", name, open.line)
		}
		all, open = append(all, open), nil
		return nil
	}
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if line == "" {
			if err := finish(); err != nil {
				return nil, err
			}
			continue
		}
		if open == nil {
			open = &difference{line: i + 1}
		}
		switch script, isScript := strings.CutPrefix(line, "script: "); {
		case isScript:
			open.script = script
		case strings.HasPrefix(line, "-"):
			open.hunk.removed = append(open.hunk.removed, line[1:])
		case strings.HasPrefix(line, "+"):
			open.hunk.added = append(open.hunk.added, line[1:])
		default:
			open.reason += strings.TrimPrefix(line, "reason: ") + "\n"
		}
	}
	return all, finish()
}
