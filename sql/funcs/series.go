package funcs

import "holdfast/sql/types"

// eachDatum returns values one row at a time.
func eachDatum(values []types.Datum) func() ([]types.Datum, error) {
	return func() ([]types.Datum, error) {
		if len(values) == 0 {
			return nil, nil
		}
		row := values[:1:1]
		values = values[1:]
		return row, nil
	}
}
