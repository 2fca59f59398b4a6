package assertions

import (
	"holdfast/sql/algebra"
)

// prefilter leaves out of a scan of changed rows those that cannot matter, before anything is read for them: updates that change
// no column that decides anything. scan is the scan of the change, and of the place in the query that it stands for; add takes
// further conditions over its columns.
func (d *deriver) prefilter(scan, of *algebra.Scan, add func(algebra.Scalar)) {
	scan.Differs = d.a.event(of).Columns
	if scan.Differs == nil {
		scan.Differs = []int16{}
	}
}
