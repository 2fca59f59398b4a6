package funcs

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"math"
	mathrand "math/rand/v2"
	"time"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// Version is what version() returns and, as a number, server_version_num would: the PostgreSQL this is compatible with.
const Version = "PostgreSQL 15.0 (Holdfast)"

func noSession(what string) error {
	return errs.New(errs.ObjectNotInPrerequisiteState, "%s needs a session", what)
}

// ofSession lifts a function of the session and a row of arguments.
func ofSession(what string, f func(ctx *Ctx, s Session, args []types.Datum) (types.Datum, error)) Kernel {
	return perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
		if ctx.Session == nil {
			return types.Null, noSession(what)
		}
		return f(ctx, ctx.Session, args)
	})
}

func unknownSetting(name string) error {
	return errs.New(errs.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
}

// sleep waits, or until the statement is canceled.
func sleep(ctx *Ctx, seconds float64) error {
	if !(seconds > 0) {
		return nil
	}
	d := time.Duration(math.MaxInt64)
	if seconds < d.Seconds() {
		d = time.Duration(seconds * float64(time.Second))
	}
	var done <-chan struct{}
	if ctx.Context != nil {
		done = ctx.Done()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-done:
		if cause := context.Cause(ctx.Context); errs.CodeOf(cause) != errs.InternalError {
			return cause
		}
		return errs.Wrap(ctx.Err(), errs.QueryCanceled, "canceling statement due to user request")
	}
}

func randomUUID(ctx *Ctx) (string, error) {
	var b [16]byte
	random := func() (v [2]uint64, err error) {
		rand.Read(b[:])
		return [2]uint64{binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])}, nil
	}
	v, err := random()
	if ctx != nil && ctx.Session != nil {
		v, err = ctx.Session.Draw(random)
	}
	if err != nil {
		return "", err
	}
	binary.BigEndian.PutUint64(b[:], v[0])
	binary.BigEndian.PutUint64(b[8:], v[1])
	b[6] = b[6]&0x0f | 0x40 // version 4
	b[8] = b[8]&0x3f | 0x80 // the variant of RFC 4122
	return string(b[:]), nil
}

func sessionFuncs() kernels {
	name := func(f func(s Session) string) Kernel {
		return ofSession("the name", func(_ *Ctx, s Session, _ []types.Datum) (types.Datum, error) { return types.NewString(f(s)), nil })
	}
	setting := ofSession("current_setting", func(_ *Ctx, s Session, args []types.Datum) (types.Datum, error) {
		if v, ok := s.Setting(args[0].Str()); ok {
			return types.NewString(v), nil
		}
		if len(args) > 1 && args[1].Bool() {
			return types.Null, nil
		}
		return types.Null, unknownSetting(args[0].Str())
	})
	setval := ofSession("setval", func(_ *Ctx, s Session, args []types.Datum) (types.Datum, error) {
		called := len(args) < 3 || args[2].Bool()
		return args[1], s.SetVal(types.OID(args[0].Int()), args[1].Int(), called)
	})
	sleeping := func(seconds func(ctx *Ctx, d types.Datum) (float64, error)) Kernel {
		return perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
			s, err := seconds(ctx, args[0])
			if err == nil && (ctx.Session == nil || !ctx.Session.Repeating()) {
				err = sleep(ctx, s)
			}
			return types.NewString(""), err
		})
	}
	return kernels{
		"current_user": name(Session.CurrentUser), "session_user": name(Session.SessionUser), "current_database": name(Session.Database),
		"pgsql_version":                  lift0(func(*Ctx) (string, error) { return Version, nil }),
		"show_config_by_name":            setting,
		"show_config_by_name_missing_ok": setting,
		"set_config_by_name": ofSession("set_config", func(_ *Ctx, s Session, args []types.Datum) (types.Datum, error) {
			if args[0].IsNull() {
				return types.Null, errs.New(errs.NullValueNotAllowed, "SET requires parameter name")
			}
			value := ""
			if !args[1].IsNull() {
				value = args[1].Str()
			}
			if err := s.SetSetting(args[0].Str(), value, !args[2].IsNull() && args[2].Bool()); err != nil {
				return types.Null, err
			}
			value, _ = s.Setting(args[0].Str())
			return types.NewString(value), nil
		}),
		"pg_backend_pid": ofSession("pg_backend_pid", func(_ *Ctx, s Session, _ []types.Datum) (types.Datum, error) {
			return types.NewInt(int64(s.BackendPID())), nil
		}),
		"nextval_oid": ofSession("nextval", func(_ *Ctx, s Session, args []types.Datum) (types.Datum, error) {
			v, err := s.NextVal(types.OID(args[0].Int()))
			return types.NewInt(v), err
		}),
		"currval_oid": ofSession("currval", func(_ *Ctx, s Session, args []types.Datum) (types.Datum, error) {
			v, err := s.CurrVal(types.OID(args[0].Int()))
			return types.NewInt(v), err
		}),
		"lastval": ofSession("lastval", func(_ *Ctx, s Session, _ []types.Datum) (types.Datum, error) {
			v, err := s.LastVal()
			return types.NewInt(v), err
		}),
		"setval_oid": setval, "setval3_oid": setval,
		"drandom": lift0(func(ctx *Ctx) (float64, error) {
			if ctx.Session == nil {
				return mathrand.Float64(), nil
			}
			return ctx.Session.Float(), nil
		}),
		"setseed": ofSession("setseed", func(_ *Ctx, s Session, args []types.Datum) (types.Datum, error) {
			seed := args[0].Float()
			if !(seed >= -1 && seed <= 1) {
				return types.Null, errs.New(errs.InvalidParameterValue, "setseed parameter %g is out of allowed range [-1,1]", seed)
			}
			s.Seed(seed)
			return types.NewString(""), nil
		}),
		"gen_random_uuid": lift0(randomUUID),
		"pg_sleep":        sleeping(func(_ *Ctx, d types.Datum) (float64, error) { return d.Float(), nil }),
		"pg_sleep_for(interval)": sleeping(func(ctx *Ctx, d types.Datum) (float64, error) {
			now, _ := clockTime(ctx)
			until, err := addIntervalTZ(now, d.Any().(types.Interval), ctx.env().Location)
			return float64(until-now) / 1e6, err
		}),
		"pg_sleep_until(timestamptz)": sleeping(func(ctx *Ctx, d types.Datum) (float64, error) {
			now, _ := clockTime(ctx)
			return float64(d.Int()-now) / 1e6, nil
		}),
	}
}
