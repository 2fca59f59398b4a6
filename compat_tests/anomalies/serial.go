package anomalies

import (
	"context"
	"fmt"
	"slices"
)

// serializer finds out whether a history is one of transactions run one after the other, by running them so: the
// slow and obvious way, which knows nothing of how a server isolates them.
type serializer struct {
	server *server
	script *script
	known  map[string]*serialRun // by the steps in their order
}

// serialRun is what transactions answered that ran one after the other.
type serialRun struct {
	answers []string // of each step
	final   string
}

func newSerializer(srv *server, s *script) *serializer {
	return &serializer{server: srv, script: s, known: map[string]*serialRun{}}
}

// order finds an order in which the committed transactions of a history, run alone, give the same answers and
// leave the same rows, and in which none comes before one that had ended when it began: strict serializability.
// It gives nil if there is none.
func (z *serializer) order(ctx context.Context, h *history) ([]*unit, error) {
	var committed []*unit
	for _, u := range h.units() {
		if u.committed {
			committed = append(committed, u)
		}
	}
	return z.extend(ctx, h, nil, committed)
}

// extend tries all orders of rest behind done.
func (z *serializer) extend(ctx context.Context, h *history, done, rest []*unit) ([]*unit, error) {
	if len(rest) == 0 {
		same, err := z.same(ctx, h, done)
		if err != nil || !same {
			return nil, err
		}
		return append([]*unit{}, done...), nil
	}
	for i, u := range rest {
		late := slices.ContainsFunc(rest, func(v *unit) bool { return v != u && v.end() < u.begin() })
		if late {
			continue
		}
		others := slices.Delete(slices.Clone(rest), i, i+1)
		order, err := z.extend(ctx, h, append(done[:len(done):len(done)], u), others)
		if err != nil || order != nil {
			return order, err
		}
	}
	return nil, nil
}

// begin and end are when a transaction's first statement was sent and its last answered. A BEGIN alone binds to
// no moment.
func (u *unit) begin() int { return u.events[min(1, len(u.events)-1)].begun }
func (u *unit) end() int   { return u.events[len(u.events)-1].ended }

// same compares a history with a serial run.
func (z *serializer) same(ctx context.Context, h *history, order []*unit) (bool, error) {
	serial, err := z.run(ctx, order)
	if err != nil {
		return false, err
	}
	i := 0
	for _, u := range order {
		for _, e := range u.events {
			if serial.answers[i] != e.answer {
				return false, nil
			}
			i++
		}
	}
	return serial.final == h.final, nil
}

// run runs transactions one after the other, once for each order.
func (z *serializer) run(ctx context.Context, order []*unit) (*serialRun, error) {
	key := ""
	for _, u := range order {
		for _, e := range u.events {
			key += fmt.Sprint(e.step, " ")
		}
	}
	if r := z.known[key]; r != nil {
		return r, nil
	}
	conn, err := z.server.connect(ctx, "")
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.Background())
	if err := reset(ctx, conn, z.script); err != nil {
		return nil, err
	}
	r := &serialRun{}
	for _, u := range order {
		for _, e := range u.events {
			answer, _, err := execute(ctx, conn, z.script.steps[e.step].sql)
			if err != nil {
				return nil, err
			}
			r.answers = append(r.answers, answer)
		}
	}
	if r.final, _, err = execute(ctx, conn, z.script.final); err != nil {
		return nil, err
	}
	z.known[key] = r
	return r, nil
}
