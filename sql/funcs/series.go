package funcs

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

func zeroStep() error { return errs.New(errs.InvalidParameterValue, "step size cannot equal zero") }

func intSeries(_ *Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
	at, stop, step := args[0].Int(), args[1].Int(), intArg(args, 2, 1)
	if step == 0 {
		return nil, zeroStep()
	}
	row := make([]types.Datum, 1)
	done := false
	return func() ([]types.Datum, error) {
		if done || step > 0 && at > stop || step < 0 && at < stop {
			return nil, nil
		}
		row[0] = types.NewInt(at)
		next := at + step
		done = step > 0 && next < at || step < 0 && next > at // overflow ends the series
		at = next
		return row, nil
	}, nil
}

func numericSeries(_ *Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
	step := types.NumericFromInt(1)
	names := []string{"start value", "stop value", "step size"}
	if len(args) > 2 {
		step = args[2].Decimal()
	}
	for i, d := range args {
		if a := d.Decimal(); isNaN(a) {
			return nil, errs.New(errs.InvalidParameterValue, "%s cannot be NaN", names[i])
		} else if !finite(a) {
			return nil, errs.New(errs.InvalidParameterValue, "%s cannot be infinity", names[i])
		}
	}
	sign := types.NumericSign(step)
	if sign == 0 {
		return nil, zeroStep()
	}
	at, stop := args[0].Decimal(), args[1].Decimal()
	return func() ([]types.Datum, error) {
		if at == nil || types.NumericCompare(at, stop)*sign > 0 {
			return nil, nil
		}
		row := []types.Datum{types.NewDecimal(at)}
		var next *apd.Decimal
		next, err := types.NumericAdd(at, step)
		if err != nil {
			return nil, err
		}
		at = next
		return row, nil
	}, nil
}

// timeSeries adds an interval again and again, on the session's clock if it is of timestamptz.
func timeSeries(zoned bool) RowsFunc {
	return func(ctx *Ctx, args []types.Datum) (func() ([]types.Datum, error), error) {
		at, stop, step := args[0].Int(), args[1].Int(), args[2].Any().(types.Interval)
		sign := step.Compare(types.Interval{})
		if sign == 0 {
			return nil, zeroStep()
		}
		row := make([]types.Datum, 1)
		return func() ([]types.Datum, error) {
			if sign > 0 && at > stop || sign < 0 && at < stop || at == math.MaxInt64 || at == math.MinInt64 {
				return nil, nil
			}
			row[0] = types.NewInt(at)
			var err error
			if zoned {
				at, err = types.AddIntervalTZ(at, step, ctx.env().Location)
			} else {
				at, err = types.AddInterval(at, step)
			}
			return row, err
		}, nil
	}
}

func seriesSets() setKernels {
	return setKernels{
		"generate_series_int4": intSeries, "generate_series_step_int4": intSeries,
		"generate_series_int8": intSeries, "generate_series_step_int8": intSeries,
		"generate_series_numeric": numericSeries, "generate_series_step_numeric": numericSeries,
		"generate_series_timestamp": timeSeries(false), "generate_series_timestamptz": timeSeries(true),
	}
}
