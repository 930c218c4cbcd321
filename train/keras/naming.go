package keras

import (
	"fmt"
	"strings"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// describeNode names a node for an error.
func describeNode(n *onnxpb.NodeProto) string {
	return fmt.Sprintf("%q (%s)", brief(n.Name), brief(n.OpType))
}

// brief bounds a word that a file may have made long, and keeps it on a line.
func brief(s string) string {
	const most = 100
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if runes := []rune(clean); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return clean
}

// sizes prints the numbers of a shape, which a file may have made many.
func sizes[T int | int64](numbers []T) string {
	var words []string
	for _, n := range numbers[:min(len(numbers), maxAxes)] {
		word := fmt.Sprint(n)
		if int64(n) == batchSize {
			word = "batch"
		}
		words = append(words, word)
	}
	if len(numbers) > maxAxes {
		words = append(words, "…")
	}
	return fmt.Sprint(words)
}

// kerasName is the layer that a node belongs to: of the TensorFlow route's names
// MODEL/LAYER/OP the second part, of a node that lost it that of one of its
// weights. The JAX route names no layers: the node's own name.
func kerasName(n *onnxpb.NodeProto) string {
	for _, name := range append([]string{n.Name}, n.Input[min(1, len(n.Input)):]...) {
		if parts := strings.Split(name, "/"); len(parts) > 2 {
			return brief(parts[1])
		}
	}
	return brief(n.Name)
}
