package funcs

import (
	"fmt"
	"math"
	"time"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Dates, times and intervals. The calendar is in sql/types; here are the functions and operators over it, and what
// they do with infinite values.

func infiniteTimestamp(ts int64) bool { return ts == math.MaxInt64 || ts == math.MinInt64 }

func infiniteDate(d int64) bool { return d == types.DateInfinity || d == types.DateNegInfinity }

func timestampOutOfRange() error {
	return errs.New(errs.DatetimeFieldOverflow, "timestamp out of range")
}

func dateOutOfRange() error { return errs.New(errs.DatetimeFieldOverflow, "date out of range") }

// Days that dates can hold: from 4714-11-24 BC to 5874897-12-31.
const (
	minDate = -2451545
	maxDate = 2145031948
)

// dateToTimestamp is midnight of a date, infinite for an infinite one.
func dateToTimestamp(d int64) (int64, error) {
	switch d {
	case types.DateInfinity:
		return math.MaxInt64, nil
	case types.DateNegInfinity:
		return math.MinInt64, nil
	}
	return types.DateToTimestamp(d)
}

func timestampToDate(ts int64) (int64, error) {
	switch ts {
	case math.MaxInt64:
		return types.DateInfinity, nil
	case math.MinInt64:
		return types.DateNegInfinity, nil
	}
	return types.TimestampToDate(ts)
}

func toLocal(ts int64, loc *time.Location) int64 {
	if infiniteTimestamp(ts) {
		return ts
	}
	return types.LocalTimestamp(ts, loc)
}

func fromLocal(ts int64, loc *time.Location) (int64, error) {
	if infiniteTimestamp(ts) {
		return ts, nil
	}
	return types.TimestampInZone(ts, loc)
}

// comparable timestamps: a date beyond the range of timestamps is before or after all of them.
func comparableDate(d int64) int64 {
	ts, err := dateToTimestamp(d)
	if err != nil {
		if d > 0 {
			return math.MaxInt64
		}
		return math.MinInt64
	}
	return ts
}

func comparableLocal(ts int64, loc *time.Location) int64 {
	zoned, err := fromLocal(ts, loc)
	if err != nil {
		if ts > 0 {
			return math.MaxInt64
		}
		return math.MinInt64
	}
	return zoned
}

// addInterval and the like leave infinite timestamps as they are.
func addInterval(ts int64, iv types.Interval) (int64, error) {
	if infiniteTimestamp(ts) {
		return ts, nil
	}
	return types.AddInterval(ts, iv)
}

func subInterval(ts int64, iv types.Interval) (int64, error) {
	neg, err := iv.Neg()
	if err != nil {
		return 0, err
	}
	return addInterval(ts, neg)
}

func addIntervalTZ(ts int64, iv types.Interval, loc *time.Location) (int64, error) {
	if infiniteTimestamp(ts) {
		return ts, nil
	}
	return types.AddIntervalTZ(ts, iv, loc)
}

func dateAddInterval(d int64, iv types.Interval) (int64, error) {
	ts, err := dateToTimestamp(d)
	if err != nil {
		return 0, err
	}
	return addInterval(ts, iv)
}

func dateSubInterval(d int64, iv types.Interval) (int64, error) {
	ts, err := dateToTimestamp(d)
	if err != nil {
		return 0, err
	}
	return subInterval(ts, iv)
}

func dateAdd(d, days int64) (int64, error) {
	if infiniteDate(d) {
		return d, nil
	}
	if d += days; d < minDate || d > maxDate {
		return 0, dateOutOfRange()
	}
	return d, nil
}

func dateSub(a, b int64) (int64, error) {
	if infiniteDate(a) || infiniteDate(b) {
		return 0, errs.New(errs.DatetimeFieldOverflow, "cannot subtract infinite dates")
	}
	return a - b, nil
}

func timestampSub(a, b int64) (types.Interval, error) {
	if infiniteTimestamp(a) || infiniteTimestamp(b) {
		return types.Interval{}, errs.New(errs.DatetimeFieldOverflow, "cannot subtract infinite timestamps")
	}
	return types.SubTimestamps(a, b)
}

// wrapDay brings a time into one day.
func wrapDay(micros int64) int64 {
	if micros %= types.MicrosPerDay; micros < 0 {
		micros += types.MicrosPerDay
	}
	return micros
}

func timeAdd(t int64, iv types.Interval) int64 { return wrapDay(t + iv.Micros%types.MicrosPerDay) }

func timeSub(t int64, iv types.Interval) int64 { return wrapDay(t - iv.Micros%types.MicrosPerDay) }

func timeTZAdd(t types.TimeTZ, iv types.Interval) types.TimeTZ {
	return types.TimeTZ{Micros: timeAdd(t.Micros, iv), Zone: t.Zone}
}

func timeTZSub(t types.TimeTZ, iv types.Interval) types.TimeTZ {
	return types.TimeTZ{Micros: timeSub(t.Micros, iv), Zone: t.Zone}
}

func dateAndTime(d, t int64) (int64, error) {
	ts, err := dateToTimestamp(d)
	if err != nil || infiniteTimestamp(ts) {
		return ts, err
	}
	return types.AddInterval(ts, types.Interval{Micros: t})
}

func dateAndTimeTZ(d int64, t types.TimeTZ) (int64, error) {
	ts, err := dateToTimestamp(d)
	if err != nil || infiniteTimestamp(ts) {
		return ts, err
	}
	return types.AddInterval(ts, types.Interval{Micros: t.Micros + int64(t.Zone)*types.MicrosPerSecond})
}

// now, the statement's time and the clock's.

func transactionTime(ctx *Ctx) (int64, error) {
	if ctx.Session != nil {
		return ctx.Session.TransactionTime(), nil
	}
	return ctx.env().Now, nil
}

func statementTime(ctx *Ctx) (int64, error) {
	if ctx.Session != nil {
		return ctx.Session.StatementTime(), nil
	}
	return ctx.env().Now, nil
}

func clockTime(*Ctx) (int64, error) { return types.TimestampFromTime(time.Now()), nil }

// Making values of their fields.

func makeDate(year, month, day int64) (int64, error) {
	outOfRange := func() (int64, error) {
		return 0, errs.New(errs.DatetimeFieldOverflow, "date field value out of range: %d-%02d-%02d", year, month, day)
	}
	y := year
	if y < 0 {
		y++ // year -1 is 1 BC, which is year 0
	}
	if year == 0 || month < 1 || month > 12 || day < 1 || y < -4713 || y > 5874897 {
		return outOfRange()
	}
	if last := time.Date(int(2000+y%400), time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day(); day > int64(last) {
		return outOfRange()
	}
	d := types.DaysFromCivil(int(y), int(month), int(day))
	if d < minDate || d > maxDate {
		return 0, errs.New(errs.DatetimeFieldOverflow, "date out of range: %d-%02d-%02d", year, month, day)
	}
	return d, nil
}

func makeTime(hour, minute int64, second float64) (int64, error) {
	micros := math.RoundToEven(second * 1e6)
	if hour < 0 || minute < 0 || minute > 59 || !(second >= 0) || micros > 60e6 || hour > 24 ||
		hour == 24 && (minute > 0 || second > 0) {
		return 0, errs.New(errs.DatetimeFieldOverflow, "time field value out of range: %d:%02d:%s", hour, minute, formatSeconds(second))
	}
	return hour*types.MicrosPerHour + minute*types.MicrosPerMinute + int64(micros), nil
}

// formatSeconds prints as C's %02g.
func formatSeconds(s float64) string {
	text := fmt.Sprintf("%.6g", s)
	if len(text) < 2 {
		text = "0" + text
	}
	return text
}

func makeTimestamp(args []types.Datum) (int64, error) {
	d, err := makeDate(args[0].Int(), args[1].Int(), args[2].Int())
	if err != nil {
		return 0, err
	}
	t, err := makeTime(args[3].Int(), args[4].Int(), args[5].Float())
	if err != nil {
		return 0, err
	}
	return dateAndTime(d, t)
}

func intervalOutOfRange() error {
	return errs.New(errs.DatetimeFieldOverflow, "interval out of range")
}

// makeInterval takes up to seven fields; those left out are zero.
func makeInterval(_ *Ctx, args []types.Datum) (types.Datum, error) {
	field := func(i int) int64 { return intArg(args, i, 0) }
	seconds := 0.0
	if len(args) > 6 {
		seconds = args[6].Float()
	}
	months, days := field(0)*12+field(1), field(2)*7+field(3)
	micros := math.RoundToEven(seconds * 1e6)
	if months != int64(int32(months)) || days != int64(int32(days)) || math.IsNaN(micros) || math.Abs(micros) >= 1<<63 {
		return types.Null, intervalOutOfRange()
	}
	clock := field(4)*types.MicrosPerHour + field(5)*types.MicrosPerMinute
	total := clock + int64(micros)
	if (clock^total)&(int64(micros)^total) < 0 {
		return types.Null, intervalOutOfRange()
	}
	return types.NewAny(types.Interval{Months: int32(months), Days: int32(days), Micros: total}), nil
}

func timestampOfEpoch(seconds float64) (int64, error) {
	if math.IsNaN(seconds) {
		return 0, errs.New(errs.DatetimeFieldOverflow, "timestamp cannot be NaN")
	}
	if math.IsInf(seconds, 1) {
		return math.MaxInt64, nil
	}
	if math.IsInf(seconds, -1) {
		return math.MinInt64, nil
	}
	const epoch, min, end = 946684800.0, -210866803200.0, 9224318016000.0 // seconds since 1970 of 2000-01-01 and of the range
	if seconds < min || seconds >= end {
		return 0, errs.New(errs.DatetimeFieldOverflow, "timestamp out of range: \"%g\"", seconds)
	}
	return int64(math.RoundToEven((seconds - epoch) * 1e6)), nil
}

// dateBin is the beginning of the stride of a length, counted from an origin, that a timestamp is in.
func dateBin(stride types.Interval, ts, origin int64) (int64, error) {
	if infiniteTimestamp(ts) {
		return ts, nil
	}
	if infiniteTimestamp(origin) {
		return 0, errs.New(errs.DatetimeFieldOverflow, "origin out of range")
	}
	if stride.Months != 0 {
		return 0, errs.New(errs.FeatureNotSupported, "timestamps cannot be binned into intervals containing months or years")
	}
	length := int64(stride.Days)*types.MicrosPerDay + stride.Micros
	if length <= 0 {
		return 0, errs.New(errs.DatetimeFieldOverflow, "stride must be greater than zero")
	}
	diff := ts - origin
	if (ts^origin)&(ts^diff) < 0 {
		return 0, errs.New(errs.DatetimeFieldOverflow, "interval out of range")
	}
	rest := diff % length
	if rest < 0 {
		rest += length
	}
	return ts - rest, nil
}

// zoneOfInterval is an offset given as an interval, in seconds east.
func zoneOfInterval(iv types.Interval) (int64, error) {
	if iv.Months != 0 || iv.Days != 0 {
		text := string(types.AppendText(nil, types.IntervalType, types.NewAny(iv), types.DefaultEnv))
		return 0, errs.New(errs.InvalidParameterValue, "interval time zone \"%s\" must not include months or days", text)
	}
	return iv.Micros / types.MicrosPerSecond, nil
}

func shiftTimestamp(ts, seconds int64) (int64, error) {
	if infiniteTimestamp(ts) {
		return ts, nil
	}
	return types.AddInterval(ts, types.Interval{Micros: seconds * types.MicrosPerSecond})
}

// inZone turns a time of day to another zone, given in seconds east.
func inZone(t types.TimeTZ, east int64) types.TimeTZ {
	return types.TimeTZ{Micros: wrapDay(t.Micros + (int64(t.Zone)+east)*types.MicrosPerSecond), Zone: int32(-east)}
}

// overlap is OVERLAPS by the standard's rules, NULLs included, for ends compared by cmp.
func overlap(s1, e1, s2, e2 types.Datum, cmp func(a, b types.Datum) int) types.Datum {
	order := func(s, e types.Datum) (types.Datum, types.Datum) {
		if s.IsNull() || !e.IsNull() && cmp(s, e) > 0 {
			return e, s
		}
		return s, e
	}
	s1, e1 = order(s1, e1)
	s2, e2 = order(s2, e2)
	if s1.IsNull() || s2.IsNull() {
		return types.Null
	}
	c := cmp(s1, s2)
	if c < 0 {
		s1, e1, s2, e2 = s2, e2, s1, e1
	}
	switch {
	case c == 0:
		if e1.IsNull() || e2.IsNull() {
			return types.Null
		}
		return types.NewBool(true)
	case e2.IsNull():
		return types.Null
	case cmp(s1, e2) < 0:
		return types.NewBool(true)
	case e1.IsNull():
		return types.Null
	}
	return types.NewBool(false)
}

// overlapsKernel is overlaps() of one type. Ends given as intervals are added to the starts by add.
func overlapsKernel(t *types.Type, firstSpan, secondSpan bool, add func(ctx *Ctx, d types.Datum, iv types.Interval) (types.Datum, error)) Kernel {
	end := func(ctx *Ctx, s, e types.Datum, span bool) (types.Datum, error) {
		if !span {
			return e, nil
		}
		if s.IsNull() || e.IsNull() {
			return types.Null, nil
		}
		return add(ctx, s, e.Any().(types.Interval))
	}
	return perRow(func(ctx *Ctx, a []types.Datum) (types.Datum, error) {
		e1, err := end(ctx, a[0], a[1], firstSpan)
		if err != nil {
			return types.Null, err
		}
		e2, err := end(ctx, a[2], a[3], secondSpan)
		if err != nil {
			return types.Null, err
		}
		return overlap(a[0], e1, a[2], e2, func(x, y types.Datum) int { return types.Compare(t, x, y) }), nil
	})
}

// zoned lifts a function of a timestamp and the session's time zone.
func zoned[A, R any](f func(a A, loc *time.Location) (R, error)) Kernel {
	return func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		loc := ctx.env().Location
		return lift1(func(a A) (R, error) { return f(a, loc) })(ctx, args, rows, out)
	}
}

func zoned2[A, B, R any](f func(a A, b B, loc *time.Location) (R, error)) Kernel {
	return func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		loc := ctx.env().Location
		return lift2(func(a A, b B) (R, error) { return f(a, b, loc) })(ctx, args, rows, out)
	}
}

func swapped(k Kernel) Kernel {
	return func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		return k(ctx, []*types.Vec{args[1], args[0]}, rows, out)
	}
}

// extractKernel is extract(), or date_part() if asFloat.
func extractKernel(t *types.Type, asFloat bool) Kernel {
	return perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
		d, err := types.Extract(args[0].Str(), t, args[1], ctx.env().Location)
		if err != nil || !asFloat || d.IsNull() {
			return d, err
		}
		if a := d.Decimal(); !finite(a) {
			return types.NewFloat(approximateSpecial(a)), nil
		}
		f, err := types.NumericToFloat(d.Decimal())
		return types.NewFloat(f), err
	})
}

func approximateSpecial(a decimal) float64 {
	switch {
	case isNaN(a):
		return math.NaN()
	case a.Negative:
		return math.Inf(-1)
	}
	return math.Inf(1)
}

func ageKernel(loc func(ctx *Ctx) *time.Location) Kernel {
	return perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
		a := args[0].Int()
		b := a
		if len(args) == 2 {
			b = args[1].Int()
		} else { // age(x) counts from midnight
			now, err := transactionTime(ctx)
			if err != nil {
				return types.Null, err
			}
			day, err := types.TimestampToDate(types.LocalTimestamp(now, ctx.env().Location))
			if err != nil {
				return types.Null, err
			}
			if a, err = types.DateToTimestamp(day); err == nil && loc != nil {
				a, err = types.TimestampInZone(a, ctx.env().Location)
			}
			if err != nil {
				return types.Null, err
			}
		}
		if infiniteTimestamp(a) || infiniteTimestamp(b) {
			return types.Null, timestampOutOfRange()
		}
		var iv types.Interval
		var err error
		if loc == nil {
			iv, err = types.Age(a, b)
		} else {
			iv, err = types.AgeTZ(a, b, loc(ctx))
		}
		return types.NewAny(iv), err
	})
}

func truncFinite(f func(ts int64) (int64, error), ts int64) (int64, error) {
	if infiniteTimestamp(ts) {
		return ts, nil
	}
	return f(ts)
}

func datetimeFuncs() kernels {
	type iv = types.Interval
	type tz = types.TimeTZ
	location := func(ctx *Ctx) *time.Location { return ctx.env().Location }
	dateToTZ := func(d int64, loc *time.Location) (int64, error) {
		ts, err := dateToTimestamp(d)
		if err != nil {
			return 0, err
		}
		return fromLocal(ts, loc)
	}
	k := kernels{
		"now": lift0(transactionTime), "statement_timestamp": lift0(statementTime), "clock_timestamp": lift0(clockTime),
		"timeofday": lift0(func(ctx *Ctx) (string, error) {
			return time.Now().In(location(ctx)).Format("Mon Jan 02 15:04:05.000000 2006 MST"), nil
		}),
		// arithmetic
		"date_pli": lift2(dateAdd), "date_mii": lift2(func(d, n int64) (int64, error) { return dateAdd(d, -n) }), "date_mi": lift2(dateSub),
		"integer_pl_date(int4,date)": lift2(func(n, d int64) (int64, error) { return dateAdd(d, n) }),
		"date_pl_interval":           lift2(dateAddInterval), "date_mi_interval": lift2(dateSubInterval),
		"timestamp_pl_interval": lift2(addInterval), "timestamp_mi_interval": lift2(subInterval),
		"timestamptz_pl_interval": zoned2(addIntervalTZ),
		"timestamptz_mi_interval": zoned2(func(ts int64, i iv, loc *time.Location) (int64, error) {
			neg, err := i.Neg()
			if err != nil {
				return 0, err
			}
			return addIntervalTZ(ts, neg, loc)
		}),
		"timestamp_mi":     lift2(timestampSub),
		"time_pl_interval": pure2(timeAdd), "time_mi_interval": pure2(timeSub), "timetz_pl_interval": pure2(timeTZAdd), "timetz_mi_interval": pure2(timeTZSub),
		"time_mi_time": pure2(func(a, b int64) iv { return iv{Micros: a - b} }),
		"interval_pl":  lift2(iv.Add), "interval_mi": lift2(iv.Sub), "interval_um": lift1(iv.Neg), "interval_mul": lift2(iv.Mul),
		"interval_div":       lift2(iv.Div),
		"mul_d_interval":     lift2(func(f float64, i iv) (iv, error) { return i.Mul(f) }),
		"datetime_timestamp": lift2(dateAndTime), "datetimetz_timestamptz": lift2(dateAndTimeTZ),
		// conversions
		"timestamp_date": lift1(timestampToDate), "date_timestamp": lift1(dateToTimestamp),
		"timestamptz_date":      zoned(func(ts int64, loc *time.Location) (int64, error) { return timestampToDate(toLocal(ts, loc)) }),
		"date_timestamptz":      zoned(dateToTZ),
		"timestamp_timestamptz": zoned(fromLocal),
		"timestamptz_timestamp": zoned(func(ts int64, loc *time.Location) (int64, error) { return toLocal(ts, loc), nil }),
		"timestamptz(date,time)": zoned2(func(d, t int64, loc *time.Location) (int64, error) {
			ts, err := dateAndTime(d, t)
			if err != nil {
				return 0, err
			}
			return fromLocal(ts, loc)
		}),
		"timestamp_time": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			if infiniteTimestamp(args[0].Int()) {
				return types.Null, nil
			}
			return types.NewInt(wrapDay(args[0].Int())), nil
		}),
		"timestamptz_time": perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
			if infiniteTimestamp(args[0].Int()) {
				return types.Null, nil
			}
			return types.NewInt(wrapDay(toLocal(args[0].Int(), location(ctx)))), nil
		}),
		"timestamptz_timetz": perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
			ts := args[0].Int()
			if infiniteTimestamp(ts) {
				return types.Null, nil
			}
			return types.NewAny(tz{Micros: wrapDay(toLocal(ts, location(ctx))), Zone: int32(-types.ZoneOffset(ts, location(ctx)))}), nil
		}),
		"time_timetz": func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
			now, err := transactionTime(ctx)
			if err != nil {
				return err
			}
			// The zone is that of the time on the current day.
			loc := location(ctx)
			today := types.LocalTimestamp(now, loc)
			today -= wrapDay(today)
			return lift1(func(t int64) (tz, error) {
				at, err := types.TimestampInZone(today+t, loc)
				return tz{Micros: t, Zone: int32(-types.ZoneOffset(at, loc))}, err
			})(ctx, args, rows, out)
		},
		"timetz_time":   pure1(func(t tz) int64 { return t.Micros }),
		"time_interval": pure1(func(t int64) iv { return iv{Micros: t} }),
		"interval_time": pure1(func(i iv) int64 { return wrapDay(i.Micros) }),
		// parts
		"timestamp_trunc": lift2(func(unit string, ts int64) (int64, error) {
			return truncFinite(func(ts int64) (int64, error) { return types.DateTrunc(unit, ts) }, ts)
		}),
		"timestamptz_trunc": zoned2(func(unit string, ts int64, loc *time.Location) (int64, error) {
			return truncFinite(func(ts int64) (int64, error) { return types.DateTruncTZ(unit, ts, loc) }, ts)
		}),
		"timestamptz_trunc_zone": lift3(func(unit string, ts int64, zone string) (int64, error) {
			loc, err := types.LoadLocation(zone)
			if err != nil {
				return 0, err
			}
			return truncFinite(func(ts int64) (int64, error) { return types.DateTruncTZ(unit, ts, loc) }, ts)
		}),
		"interval_trunc": lift2(types.DateTruncInterval),
		"timestamp_bin":  lift3(dateBin), "timestamptz_bin": lift3(dateBin),
		"timestamp_age": ageKernel(nil), "timestamptz_age": ageKernel(location), "age(timestamp)": ageKernel(nil), "age(timestamptz)": ageKernel(location),
		"date_finite":            pred1(func(d int64) bool { return !infiniteDate(d) }),
		"timestamp_finite":       pred1(func(ts int64) bool { return !infiniteTimestamp(ts) }),
		"interval_finite":        pred1(func(iv) bool { return true }),
		"interval_justify_hours": lift1(iv.JustifyHours), "interval_justify_days": lift1(iv.JustifyDays), "interval_justify_interval": lift1(iv.JustifyInterval),
		// making
		"make_date": lift3(makeDate), "make_time": lift3(makeTime), "make_interval": perRow(makeInterval),
		"make_timestamp": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			ts, err := makeTimestamp(args)
			return types.NewInt(ts), err
		}),
		"make_timestamptz": perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
			ts, err := makeTimestamp(args)
			if err == nil {
				ts, err = fromLocal(ts, location(ctx))
			}
			return types.NewInt(ts), err
		}),
		"make_timestamptz_at_timezone": perRow(func(_ *Ctx, args []types.Datum) (types.Datum, error) {
			ts, err := makeTimestamp(args)
			if err != nil {
				return types.Null, err
			}
			loc, err := types.LoadLocation(args[6].Str())
			if err == nil {
				ts, err = fromLocal(ts, loc)
			}
			return types.NewInt(ts), err
		}),
		"float8_timestamptz": lift1(timestampOfEpoch),
		// zones
		"timestamp_zone":   atZone(func(ts int64, loc *time.Location) (int64, error) { return fromLocal(ts, loc) }),
		"timestamptz_zone": atZone(func(ts int64, loc *time.Location) (int64, error) { return toLocal(ts, loc), nil }),
		"timestamp_izone": lift2(func(i iv, ts int64) (int64, error) {
			east, err := zoneOfInterval(i)
			if err != nil {
				return 0, err
			}
			return shiftTimestamp(ts, -east)
		}),
		"timestamptz_izone": lift2(func(i iv, ts int64) (int64, error) {
			east, err := zoneOfInterval(i)
			if err != nil {
				return 0, err
			}
			return shiftTimestamp(ts, east)
		}),
		"timetz_izone": lift2(func(i iv, t tz) (tz, error) {
			east, err := zoneOfInterval(i)
			return inZone(t, east), err
		}),
		"timetz_zone": perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
			loc, err := types.LoadLocation(args[0].Str())
			if err != nil {
				return types.Null, err
			}
			now, err := transactionTime(ctx)
			return types.NewAny(inZone(args[1].Any().(tz), int64(types.ZoneOffset(now, loc)))), err
		}),
	}
	k["interval_pl_time(interval,time)"] = swapped(k["time_pl_interval"])
	k["interval_pl_timetz(interval,timetz)"] = swapped(k["timetz_pl_interval"])
	k["interval_pl_date(interval,date)"] = swapped(k["date_pl_interval"])
	k["interval_pl_timestamp(interval,timestamp)"] = swapped(k["timestamp_pl_interval"])
	k["interval_pl_timestamptz(interval,timestamptz)"] = swapped(k["timestamptz_pl_interval"])
	k["timedate_pl(time,date)"] = swapped(k["datetime_timestamp"])
	k["timetzdate_pl(timetz,date)"] = swapped(k["datetimetz_timestamptz"])

	for name, t := range map[string]*types.Type{"date": types.Date, "time": types.Time, "timetz": types.TimeTZType, "timestamp": types.Timestamp,
		"timestamptz": types.TimestampTZ, "interval": types.IntervalType} {
		k["extract_"+name] = extractKernel(t, false)
		if name == "date" {
			name = "date_part(text,date)"
		} else {
			name += "_part"
		}
		k[name] = extractKernel(t, true)
	}
	mixedComparisons(k)
	overlapsFuncs(k)
	return k
}

// atZone is AT TIME ZONE with a zone by name, looked up once as long as it stays the same.
func atZone(f func(ts int64, loc *time.Location) (int64, error)) Kernel {
	return func(ctx *Ctx, args []*types.Vec, rows types.Rows, out *types.Vec) error {
		var last string
		var loc *time.Location
		return lift2(func(zone string, ts int64) (r int64, err error) {
			if loc == nil || zone != last {
				if loc, err = types.LoadLocation(zone); err != nil {
					return 0, err
				}
				last = zone
			}
			return f(ts, loc)
		})(ctx, args, rows, out)
	}
}

// mixedComparisons are those between date, timestamp and timestamptz.
func mixedComparisons(k kernels) {
	type side func(v int64, loc *time.Location) int64
	same := func(v int64, _ *time.Location) int64 { return v }
	date := func(v int64, _ *time.Location) int64 { return comparableDate(v) }
	zonedDate := func(v int64, loc *time.Location) int64 { return comparableLocal(comparableDate(v), loc) }
	for name, sides := range map[string][2]side{
		"date_%s_timestamp": {date, same}, "timestamp_%s_date": {same, date},
		"date_%s_timestamptz": {zonedDate, same}, "timestamptz_%s_date": {same, zonedDate},
		"timestamp_%s_timestamptz": {comparableLocal, same}, "timestamptz_%s_timestamp": {same, comparableLocal},
	} {
		left, right := sides[0], sides[1]
		compare := func(a, b int64, loc *time.Location) int {
			x, y := left(a, loc), right(b, loc)
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
		for op, r := range relationNames {
			k[fmt.Sprintf(name, op)] = zoned2(func(a, b int64, loc *time.Location) (bool, error) { return r.holds(compare(a, b, loc)), nil })
		}
		k[fmt.Sprintf(name, "cmp")] = zoned2(func(a, b int64, loc *time.Location) (int64, error) { return int64(compare(a, b, loc)), nil })
	}
}

func overlapsFuncs(k kernels) {
	for _, t := range []*types.Type{types.Time, types.TimeTZType, types.Timestamp, types.TimestampTZ} {
		source := t.Name
		if t == types.TimestampTZ {
			source = "timestamp" // shares the code
		} else {
			k["overlaps_"+source] = overlapsKernel(t, false, false, nil)
		}
		if t == types.TimeTZType {
			continue
		}
		add := func(ctx *Ctx, d types.Datum, iv types.Interval) (types.Datum, error) {
			switch t {
			case types.Time:
				return types.NewInt(timeAdd(d.Int(), iv)), nil
			case types.Timestamp:
				ts, err := addInterval(d.Int(), iv)
				return types.NewInt(ts), err
			}
			ts, err := addIntervalTZ(d.Int(), iv, ctx.env().Location)
			return types.NewInt(ts), err
		}
		n := t.Name
		k[fmt.Sprintf("overlaps(%s,interval,%s,interval)", n, n)] = overlapsKernel(t, true, true, add)
		k[fmt.Sprintf("overlaps(%s,%s,%s,interval)", n, n, n)] = overlapsKernel(t, false, true, add)
		k[fmt.Sprintf("overlaps(%s,interval,%s,%s)", n, n, n)] = overlapsKernel(t, true, false, add)
	}
}
