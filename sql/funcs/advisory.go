package funcs

import (
	"context"
	"math"

	"holdfast/sql/errs"
	"holdfast/sql/types"
)

// A Session may also have advisory locks, notifications, and other sessions in reach: it then implements the
// interfaces here. The functions that need them are 0A000 in a session without.

// AdvisoryKey names an advisory lock. One 64-bit key and two 32-bit keys never name the same lock.
type AdvisoryKey struct {
	High, Low uint32
	Pair      bool
}

// AdvisoryLocks are the advisory locks of a database as one session sees them. A lock taken several times must be
// given back as often.
type AdvisoryLocks interface {
	// AdvisoryLock takes a lock, shared or exclusive, until it is given back or, with xact, until the transaction ends.
	// With wait it waits for other sessions; else it reports false if it would have to. Deadlock is 40P01.
	AdvisoryLock(ctx context.Context, key AdvisoryKey, shared, xact, wait bool) (bool, error)
	// AdvisoryUnlock gives back a lock of the session. If it has none it warns and reports false.
	AdvisoryUnlock(key AdvisoryKey, shared bool) bool
	// AdvisoryUnlockAll gives back all locks of the session but those of the transaction.
	AdvisoryUnlockAll()
}

// Notifier is a session that can notify others.
type Notifier interface {
	// Notify sends a notification when the transaction commits. The payload may be empty.
	Notify(channel, payload string) error
	// ListeningChannels are the channels the session listens on.
	ListeningChannels() []string
}

// Backends lets a session act on others. Both report false if there is no such session.
type Backends interface {
	// CancelBackend cancels the statement a session is running.
	CancelBackend(pid int32) (bool, error)
	// TerminateBackend ends a session.
	TerminateBackend(pid int32) (bool, error)
	// BlockingPIDs are the sessions that one waits for.
	BlockingPIDs(pid int32) []int32
}

// ofCapable lifts a function of a session that implements T.
func ofCapable[T any](what string, f func(ctx *Ctx, s T, args []types.Datum) (types.Datum, error)) Kernel {
	return perRow(func(ctx *Ctx, args []types.Datum) (types.Datum, error) {
		s, ok := ctx.Session.(T)
		if !ok {
			return types.Null, errs.Unsupported("function %s here", what)
		}
		return f(ctx, s, args)
	})
}

func advisoryKey(args []types.Datum) AdvisoryKey {
	if len(args) == 2 {
		return AdvisoryKey{High: uint32(args[0].Int()), Low: uint32(args[1].Int()), Pair: true}
	}
	key := uint64(args[0].Int())
	return AdvisoryKey{High: uint32(key >> 32), Low: uint32(key & math.MaxUint32)}
}

func advisoryFuncs() kernels {
	k := kernels{
		"pg_advisory_unlock_all": ofCapable("pg_advisory_unlock_all", func(_ *Ctx, s AdvisoryLocks, _ []types.Datum) (types.Datum, error) {
			s.AdvisoryUnlockAll()
			return types.NewString(""), nil
		}),
		"pg_notify": ofCapable("pg_notify", func(_ *Ctx, s Notifier, args []types.Datum) (types.Datum, error) {
			channel, payload := "", ""
			if !args[0].IsNull() {
				channel = args[0].Str()
			}
			if !args[1].IsNull() {
				payload = args[1].Str()
			}
			switch {
			case channel == "":
				return types.Null, errs.New(errs.InvalidParameterValue, "channel name cannot be empty")
			case len(channel) > 63:
				return types.Null, errs.New(errs.InvalidParameterValue, "channel name too long")
			case len(payload) >= 8000:
				return types.Null, errs.New(errs.InvalidParameterValue, "payload string too long")
			}
			return types.NewString(""), s.Notify(channel, payload)
		}),
		"pg_cancel_backend": ofCapable("pg_cancel_backend", func(_ *Ctx, s Backends, args []types.Datum) (types.Datum, error) {
			done, err := s.CancelBackend(int32(args[0].Int()))
			return types.NewBool(done), err
		}),
		"pg_terminate_backend": ofCapable("pg_terminate_backend", func(_ *Ctx, s Backends, args []types.Datum) (types.Datum, error) {
			done, err := s.TerminateBackend(int32(args[0].Int()))
			return types.NewBool(done), err
		}),
		"pg_blocking_pids": ofCapable("pg_blocking_pids", func(_ *Ctx, s Backends, args []types.Datum) (types.Datum, error) {
			var pids []types.Datum
			for _, pid := range s.BlockingPIDs(int32(args[0].Int())) {
				pids = append(pids, types.NewInt(int64(pid)))
			}
			return types.NewAny(types.NewSlice(types.Int4, pids)), nil
		}),
		"pg_client_encoding": ofSession("pg_client_encoding", func(_ *Ctx, s Session, _ []types.Datum) (types.Datum, error) {
			v, _ := s.Setting("client_encoding")
			return types.NewString(v), nil
		}),
	}
	for _, keys := range []string{"int8", "int4"} {
		for _, shared := range []bool{false, true} {
			suffix := "_" + keys
			if shared {
				suffix = "_shared" + suffix
			}
			lock := func(name string, xact, wait bool) {
				name += suffix
				k[name] = ofCapable(name, func(ctx *Ctx, s AdvisoryLocks, args []types.Datum) (types.Datum, error) {
					c := ctx.Context
					if c == nil {
						c = context.Background()
					}
					got, err := s.AdvisoryLock(c, advisoryKey(args), shared, xact, wait)
					if wait {
						return types.NewString(""), err // void
					}
					return types.NewBool(got), err
				})
			}
			lock("pg_advisory_lock", false, true)
			lock("pg_advisory_xact_lock", true, true)
			lock("pg_try_advisory_lock", false, false)
			lock("pg_try_advisory_xact_lock", true, false)
			k["pg_advisory_unlock"+suffix] = ofCapable("pg_advisory_unlock", func(_ *Ctx, s AdvisoryLocks, args []types.Datum) (types.Datum, error) {
				return types.NewBool(s.AdvisoryUnlock(advisoryKey(args), shared)), nil
			})
		}
	}
	return k
}

func listeningChannels(ctx *Ctx, _ []types.Datum) (func() ([]types.Datum, error), error) {
	s, ok := ctx.Session.(Notifier)
	if !ok {
		return nil, errs.Unsupported("function pg_listening_channels here")
	}
	var names []types.Datum
	for _, c := range s.ListeningChannels() {
		names = append(names, types.NewString(c))
	}
	return EachDatum(names), nil
}
