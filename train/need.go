package train

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/internal/memory"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/engine"
)

// fits returns an error where a step needs more memory than there is. Without
// it, the kernel would kill the program, or Go end it with a trace, at
// whatever array came last.
func (t *Trainer) fits() error {
	gan := t.Model.GAN
	plan, err := NewPlan(gan, t.size(0), tensor.Float32)
	if err != nil {
		return err
	}
	need, err := plan.need(t.o)
	if err != nil {
		return err
	}
	if free, known := memory.Available(); known && need > free {
		return fmt.Errorf("train: a step of %s at batch %d needs at least %s of memory, %s is available: take a smaller batch",
			gan.Name, gan.Recipe.Batch, memory.Format(need), memory.Format(free))
	}
	return nil
}

// need is a lower bound of the bytes that a step takes besides the state's own
// arrays. What an engine adds is not in it: weights in another layout, the
// working memory of kernels, blocks that an allocator holds back.
func (p *Plan) need(o Options) (int64, error) {
	var fed int64
	for _, f := range p.Feeds {
		fed += int64(f.Kind.dtype(tensor.Float32).Size()) * int64(f.Shape.TotalSize())
	}
	if o.Engine == Tape {
		need := 2 * fed
		for i := range p.Updates {
			sum, _, err := computed(p.Updates[i : i+1])
			if err != nil {
				return 0, err
			}
			need += sum // an operator keeps its output
		}
		return need, nil
	}
	// The feeder fills two arrays in turn, and ONNX Runtime's loop has a third.
	// New state may be written over the old. Simultaneous updates share what is
	// equal in them.
	need, together := 3*fed, 1
	if o.Runtime.Provider != "" && o.Runtime.Provider != runtime.CPU {
		return need, nil // the rest may lie on the device
	}
	if p.Simultaneous {
		together = len(p.Updates)
	}
	most := int64(0)
	for updates := range slices.Chunk(p.Updates, together) {
		_, peak, err := computed(updates)
		if err != nil {
			return 0, err
		}
		most = max(most, peak)
	}
	return need + most, nil
}

// computed gives the bytes of all that updates compute from their inputs, and
// the most that is wanted at one time, where equal values are computed once and
// kept to their last use, whose result may take their place. New state is not
// counted: it has arrays already.
func computed(updates []engine.Update) (sum, peak int64, err error) {
	type value struct {
		size     int64
		operands []uint32
	}
	values := map[uint32]*value{} // by hash, as Gorgonia tells them apart
	var order []*value            // operands before their results
	isNew, last := map[uint32]bool{}, map[uint32]*value{}
	for _, u := range updates {
		roots := gorgonia.Nodes{u.Loss}
		for _, p := range u.New {
			roots = append(roots, p.Node)
			isNew[p.Node.Hashcode()] = true
		}
		g := u.Loss.Graph().SubgraphRoots(roots...)
		nodes, err := gorgonia.Sort(g) // results before their operands
		if err != nil {
			return 0, 0, fmt.Errorf("train: %s: %w", u.Name, err)
		}
		for _, n := range slices.Backward(nodes) {
			key := n.Hashcode()
			if values[key] != nil {
				continue
			}
			v := &value{}
			if n.Op() != nil && !isNew[key] {
				v.size = int64(n.Dtype().Size()) * int64(n.Shape().TotalSize())
			}
			for operands := g.From(n.ID()); operands.Next(); {
				o := operands.Node().(*gorgonia.Node).Hashcode()
				v.operands = append(v.operands, o)
				last[o] = v
			}
			values[key], order = v, append(order, v)
		}
	}
	var live int64
	for _, v := range order {
		sum += v.size
		live += v.size
		for _, o := range v.operands {
			if last[o] == v {
				live -= values[o].size
				delete(last, o)
			}
		}
		peak = max(peak, live)
	}
	return sum, peak, nil
}
