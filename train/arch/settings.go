package arch

import "fmt"

// Settings says in a few words what a layer was given.
func Settings(layer Layer) string {
	bias := func(none bool) string {
		if none {
			return ", no bias"
		}
		return ""
	}
	switch l := layer.(type) {
	case Dense:
		return fmt.Sprintf("%d units%s, %s", l.Units, bias(l.NoBias), start(l.Init))
	case Conv2D:
		return fmt.Sprintf("%d filters %dx%d, stride %d, 'same'%s, %s", l.Filters, l.Kernel, l.Kernel, l.Stride, bias(l.NoBias), start(l.Init))
	case ConvTranspose2D:
		return fmt.Sprintf("%d filters %dx%d, stride %d, 'same'%s, %s", l.Filters, l.Kernel, l.Kernel, l.Stride, bias(l.NoBias), start(l.Init))
	case BatchNorm:
		return fmt.Sprintf("momentum %g, epsilon %g", l.Momentum, l.Epsilon)
	case LeakyReLU:
		return fmt.Sprintf("slope %g", l.Slope)
	case Dropout:
		return fmt.Sprintf("rate %g", l.Rate)
	case Embedding:
		return fmt.Sprintf("%d values for each of %d classes, %s", l.Size, l.Classes, start(l.Init))
	case Condition:
		return "the above, of the label, joined to the layer before"
	}
	return ""
}

func start(i Init) string {
	switch i.Kind {
	case "normal":
		return fmt.Sprintf("N(0, %g)", i.Scale)
	case "uniform":
		return fmt.Sprintf("uniform in ±%g", i.Scale)
	}
	return i.Kind
}
