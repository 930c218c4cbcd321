package engine

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// tape runs the graphs one after the other on Gorgonia's tape machine. It is
// the reference for every other engine.
type tape struct {
	updates      []*tapeUpdate
	simultaneous bool
}

type tapeUpdate struct {
	name    string
	machine gorgonia.VM
	fed     []export.Port // inputs that are not state
	loss    gorgonia.Value
	report  []gorgonia.Value
	commits []commit
}

// commit puts a new value in its place in the state.
type commit struct {
	from keeper
	to   *tensor.Dense
}

// NewTape compiles a step for Gorgonia's tape machine. The program reads the
// arrays of the state where they lie and exchanges their memory with that of
// the new values: slices of it hold for one step.
func NewTape(step Step, state State) (Program, error) {
	if err := step.check(state); err != nil {
		return nil, err
	}
	t := &tape{simultaneous: step.Simultaneous}
	known := expressions{}
	for _, u := range step.Updates {
		compiled, graph, err := compileTape(u, state)
		if err != nil {
			return nil, fmt.Errorf("engine: %s: %w", u.Name, err)
		}
		if step.Simultaneous {
			known.share(graph, u.New)
		}
		t.updates = append(t.updates, compiled)
	}
	return t, nil
}

// keeper is an operator that keeps what it computed.
type keeper = interface{ Last() gorgonia.Value }

// compileTape returns an update and the part of its graph that it runs.
func compileTape(u Update, state State) (*tapeUpdate, *gorgonia.ExprGraph, error) {
	t := &tapeUpdate{name: u.Name, report: make([]gorgonia.Value, len(u.Report))}
	for _, p := range u.Inputs {
		v, ok := state[p.Name]
		if !ok {
			t.fed = append(t.fed, p)
			continue
		}
		if err := gorgonia.Let(p.Node, v); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	roots := gorgonia.Nodes{u.Loss}
	for _, p := range u.New {
		keeper, ok := p.Node.Op().(keeper)
		if !ok {
			return nil, nil, fmt.Errorf("%s is computed by %T, which does not keep its output", p.Name, p.Node.Op())
		}
		roots = append(roots, p.Node)
		t.commits = append(t.commits, commit{keeper, state[p.Name]})
	}
	roots = append(roots, gorgonia.Read(u.Loss, &t.loss))
	for i, p := range u.Report {
		roots = append(roots, p.Node, gorgonia.Read(p.Node, &t.report[i]))
	}
	// Only what the roots need: Gorgonia would compute every gradient that an
	// operator can give.
	graph := u.Loss.Graph().SubgraphRoots(roots...)
	t.machine = gorgonia.NewTapeMachine(graph)
	return t, graph, nil
}

// expressions holds the first node of each expression, by a digest of its
// operator and operands.
type expressions map[[sha256.Size]byte]*gorgonia.Node

// share makes the operators of an update return what those of an earlier one
// computed from the same values: the updates of both networks begin with one
// forward pass. New state stays its operator's own, to be exchanged, and
// Gorgonia's operators may overwrite a scalar.
func (e expressions) share(graph *gorgonia.ExprGraph, updated []export.Port) {
	first := map[*gorgonia.Node]*gorgonia.Node{}
	for _, n := range graph.AllNodes() {
		same := e.first(n, first)
		own := n.IsScalar() || slices.ContainsFunc(updated, func(p export.Port) bool { return p.Node == n })
		if own || same.Graph() == n.Graph() {
			continue
		}
		if follower, ok := n.Op().(interface{ Follow(leader keeper) }); ok {
			follower.Follow(same.Op().(keeper))
		}
	}
}

// first returns the first node that computes what n does. done holds those of
// the nodes of n's graph that it was asked for.
func (e expressions) first(n *gorgonia.Node, done map[*gorgonia.Node]*gorgonia.Node) *gorgonia.Node {
	if same, ok := done[n]; ok {
		return same
	}
	h := sha256.New()
	if n.Op() == nil {
		fmt.Fprint(h, n.Name())
	} else {
		n.Op().WriteHash(h)
	}
	for operands := n.Graph().From(n.ID()); operands.Next(); {
		fmt.Fprintf(h, " %p", e.first(operands.Node().(*gorgonia.Node), done))
	}
	key := [sha256.Size]byte(h.Sum(nil))
	if _, ok := e[key]; !ok {
		e[key] = n
	}
	done[n] = e[key]
	return e[key]
}

// Run implements Program.
func (t *tape) Run(feed Feed) ([]float64, error) {
	var losses, reports []float64
	for _, u := range t.updates {
		if err := u.run(feed); err != nil {
			return nil, fmt.Errorf("engine: %s: %w", u.name, err)
		}
		loss, err := scalar(u.loss)
		if err != nil {
			return nil, fmt.Errorf("engine: %s: loss: %w", u.name, err)
		}
		losses = append(losses, loss)
		for _, v := range u.report {
			x, err := scalar(v)
			if err != nil {
				return nil, fmt.Errorf("engine: %s: report: %w", u.name, err)
			}
			reports = append(reports, x)
		}
		if !t.simultaneous {
			u.commit()
		}
	}
	if t.simultaneous {
		for _, u := range t.updates {
			u.commit()
		}
	}
	return append(losses, reports...), nil
}

func (u *tapeUpdate) run(feed Feed) error {
	for _, p := range u.fed {
		v, ok := feed[p.Name]
		if !ok {
			return fmt.Errorf("nothing is fed to input %q", p.Name)
		}
		if err := gorgonia.Let(p.Node, v); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	defer u.machine.Reset()
	if err := u.machine.RunAll(); err != nil {
		return fmt.Errorf("%s", strings.Join(strings.Fields(err.Error()), " ")) // on one line
	}
	return nil
}

func (u *tapeUpdate) commit() {
	for _, c := range u.commits {
		// Copying would take a tenth of a small network's step. The old values'
		// memory becomes the operator's, which rewrites it at the next run.
		last := c.from.Last().(*tensor.Dense)
		*c.to, *last = *last, *c.to
	}
}

func scalar(v gorgonia.Value) (float64, error) {
	switch x := v.Data().(type) {
	case float32:
		return float64(x), nil
	case float64:
		return x, nil
	}
	return 0, fmt.Errorf("%T is no scalar", v.Data())
}

// Rows implements Program.
func (t *tape) Rows(string) []int { return nil }

// Load and Store have nothing to do: the state never leaves its arrays.
func (t *tape) Load() error  { return nil }
func (t *tape) Store() error { return nil }

// Close implements Program.
func (t *tape) Close() error {
	for _, u := range t.updates {
		if err := u.machine.Close(); err != nil {
			return fmt.Errorf("engine: %s: %w", u.name, err)
		}
	}
	return nil
}
