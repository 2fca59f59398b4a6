package regress

import "strings"

// A Hunk is one run of lines that differ: what was expected against what Holdfast printed in the same
// place. It carries no line numbers, so that a script may grow without its recorded differences going stale.
type Hunk struct {
	Line    int // where it starts in the expected output, for people only; counted from 1
	removed []string
	added   []string
}

// key identifies a hunk by what it says.
func (h Hunk) key() string {
	return "-" + strings.Join(h.removed, "\n-") + "\n+" + strings.Join(h.added, "\n+")
}

// String prints the hunk as differences.txt has it.
func (h Hunk) String() string {
	var b strings.Builder
	for _, l := range h.removed {
		b.WriteString("-" + l + "\n")
	}
	for _, l := range h.added {
		b.WriteString("+" + l + "\n")
	}
	return b.String()
}

// Compare gives the hunks between two texts, by a longest common subsequence of lines. The table is quadratic:
// scripts print some hundreds of lines, and the common head and tail are cut off first.
func Compare(expected, actual []string) []Hunk {
	head := 0
	for head < len(expected) && head < len(actual) && expected[head] == actual[head] {
		head++
	}
	a, b := expected[head:], actual[head:]
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	longest := make([][]int, len(a)+1)
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	var hunks []Hunk
	var open *Hunk
	for i, j := 0, 0; i < len(a) || j < len(b); {
		if i < len(a) && j < len(b) && a[i] == b[j] {
			if open != nil {
				hunks, open = append(hunks, *open), nil
			}
			i, j = i+1, j+1
			continue
		}
		if open == nil {
			open = &Hunk{Line: head + i + 1}
		}
		if j == len(b) || i < len(a) && longest[i+1][j] >= longest[i][j+1] {
			open.removed = append(open.removed, a[i])
			i++
		} else {
			open.added = append(open.added, b[j])
			j++
		}
	}
	if open != nil {
		hunks = append(hunks, *open)
	}
	return hunks
}
