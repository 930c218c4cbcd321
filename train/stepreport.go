package train

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
	"github.com/gantrain/gantrain/train/op"
)

// lossColumns names the loss of each update after the network that it trains, and
// after what that sees where it is one kind of examples alone: d_loss, g_loss,
// g_loss2 for a second one; d_loss_real, d_loss_fake.
func lossColumns(r arch.Recipe) []string {
	var names []string
	count := map[string]int{}
	for _, u := range r.Updates {
		name := string(u.Trains[0]) + "_loss"
		if u.Only != "" {
			name += "_" + string(u.Only)
		}
		count[name]++
		if count[name] > 1 {
			name += fmt.Sprint(count[name])
		}
		names = append(names, name)
	}
	return names
}

// report adds what a run records of a discriminator's update besides its loss,
// unless another update of the step tells it: the losses on real and on
// generated examples (d_loss_real, d_loss_fake), the share of both that it tells
// (d_accuracy), and the means of D(x) and D(G(z)) (d_real, d_fake).
func (g *graph) report() ([]export.Port, error) {
	if g.recipe.Trains != arch.Discriminator {
		return nil, nil
	}
	var ports []export.Port
	say := func(name string, node *gorgonia.Node, err error) error {
		if err == nil && !g.said[name] {
			g.said[name] = true
			ports = append(ports, export.Port{Name: name, Node: node})
		}
		return err
	}
	halves, err := g.halves()
	if err != nil {
		return nil, err
	}
	if len(halves) == 2 { // else the loss says it
		for _, h := range halves {
			loss, err := g.cost(h.out, h.targets...)
			if err := say("d_loss_"+h.pass, loss, err); err != nil {
				return nil, err
			}
		}
		accuracy, err := op.Accuracy(halves[0].out.Logit, halves[1].out.Logit)
		if err := say("d_accuracy", accuracy, err); err != nil {
			return nil, err
		}
	}
	for _, h := range halves {
		p, err := op.MeanProbability(h.out.Logit)
		if err := say("d_"+h.pass, p, err); err != nil {
			return nil, err
		}
	}
	return ports, nil
}

// halves parts what the discriminator was shown into real and generated
// examples.
func (g *graph) halves() ([]judged, error) {
	if len(g.judged) != 1 || len(g.judged[0].targets) == 1 {
		return g.judged, nil
	}
	joined := g.judged[0]
	var halves []judged
	from := 0
	for i, pass := range []string{"real", "fake"} {
		target := joined.targets[i]
		logit, err := op.Slice(joined.out.Logit, 0, from, from+target.Rows)
		if err != nil {
			return nil, err
		}
		half := judged{pass, nn.Output{Node: logit, Logit: logit}, []op.Target{target}}
		from += target.Rows
		halves = append(halves, half)
	}
	return halves, nil
}
