package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// writeReport writes what a model holds, for people to read.
func writeReport(w io.Writer, path string, size int64, model *onnxpb.ModelProto) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s: %d bytes\n", path, size)

	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	producer := strings.TrimSpace(model.ProducerName + " " + model.ProducerVersion)
	if producer != "" {
		fmt.Fprintf(t, "producer\t%s\n", printable(producer))
	}
	fmt.Fprintf(t, "IR\t%d\n", model.IrVersion)
	for _, set := range model.OpsetImport {
		fmt.Fprintf(t, "opset\t%s\n", printable(strings.TrimSpace(fmt.Sprint(set.Version, " ", set.Domain))))
	}
	weights := initialisers(model.Graph)
	for _, in := range model.Graph.Input {
		if _, ok := weights[in.Name]; !ok { // older files list their weights as inputs too
			fmt.Fprintf(t, "input\t%s\n", port(in))
		}
	}
	for _, out := range model.Graph.Output {
		fmt.Fprintf(t, "output\t%s\n", port(out))
	}
	for _, name := range onnxpb.DataFiles(model) {
		if !filepath.IsLocal(name) { // which no runtime follows
			continue
		}
		where := "not there"
		if info, err := os.Stat(filepath.Join(filepath.Dir(path), name)); err == nil {
			where = fmt.Sprintf("%d bytes", info.Size())
		}
		fmt.Fprintf(t, "weights\t%s, %s\n", printable(name), where)
	}
	for _, p := range slices.SortedFunc(slices.Values(model.MetadataProps), func(a, b *onnxpb.StringStringEntryProto) int {
		return strings.Compare(a.Key, b.Key)
	}) {
		fmt.Fprintf(t, "metadata\t%s = %s\n", printable(p.Key), printable(p.Value))
	}
	if err := t.Flush(); err != nil {
		return err
	}

	fmt.Fprintln(b)
	writeLayers(b, model.Graph, weights)
	return b.Flush()
}

// writeLayers writes the table of nodes. Its parameters are the numbers in a
// node's initialisers; one that two nodes share is counted at each, and once in
// the total.
func writeLayers(w io.Writer, g *onnxpb.GraphProto, weights map[string]*onnxpb.TensorProto) {
	shapes := map[string]string{}
	for _, v := range slices.Concat(g.ValueInfo, g.Output) {
		shapes[v.Name] = shape(v)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "layer\toperator\toutput\tparameters\tattributes")
	for _, n := range g.Node {
		var parameters, output string
		var count float64
		for _, in := range n.Input {
			count += elements(weights[in])
		}
		if count > 0 {
			parameters = number(count)
		}
		if len(n.Output) > 0 {
			output = shapes[n.Output[0]]
		}
		op := n.OpType
		if n.Domain != "" && n.Domain != "ai.onnx" {
			op = n.Domain + "." + op
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", orDash(n.Name), orDash(op), orDash(output), orDash(parameters), orDash(attributes(n)))
	}
	var total float64
	for _, tensor := range weights {
		total += elements(tensor)
	}
	fmt.Fprintf(t, "total\t\t\t%s\n", number(total))
	t.Flush()
}

func initialisers(g *onnxpb.GraphProto) map[string]*onnxpb.TensorProto {
	m := map[string]*onnxpb.TensorProto{}
	for _, t := range g.Initializer {
		m[t.Name] = t
	}
	return m
}

// elements counts the numbers of a weight, 0 for what cannot be one: a shape or
// an index. A float, since a file may claim any size.
func elements(t *onnxpb.TensorProto) float64 {
	switch onnxpb.TensorProto_DataType(t.GetDataType()) {
	case onnxpb.TensorProto_FLOAT, onnxpb.TensorProto_DOUBLE, onnxpb.TensorProto_FLOAT16,
		onnxpb.TensorProto_BFLOAT16, onnxpb.TensorProto_INT8, onnxpb.TensorProto_UINT8:
	default:
		return 0
	}
	n := 1.0
	for _, d := range t.GetDims() {
		n *= math.Max(0, float64(d))
	}
	return n
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', 0, 64) }

func port(v *onnxpb.ValueInfoProto) string {
	kind := onnxpb.TensorProto_DataType(v.GetType().GetTensorType().GetElemType())
	return fmt.Sprintf("%s  %s %s", printable(v.Name), strings.ToLower(kind.String()), shape(v))
}

// shape writes [batch, 1, 28, 28], a question mark where a size has no name.
func shape(v *onnxpb.ValueInfoProto) string {
	s := v.GetType().GetTensorType().GetShape()
	if s == nil {
		return "unknown shape"
	}
	var sizes []string
	for _, d := range s.Dim {
		switch value := d.Value.(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			sizes = append(sizes, strconv.FormatInt(value.DimValue, 10))
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			sizes = append(sizes, printable(value.DimParam))
		default:
			sizes = append(sizes, "?")
		}
	}
	return "[" + strings.Join(sizes, ", ") + "]"
}

// attributes writes strides=2,2 alpha=0.3, and only the kind of what is long.
func attributes(n *onnxpb.NodeProto) string {
	var all []string
	for _, a := range n.Attribute {
		all = append(all, printable(a.Name)+"="+value(a))
	}
	return strings.Join(all, " ")
}

func value(a *onnxpb.AttributeProto) string {
	const longest = 8
	switch {
	case a.F != nil:
		return strconv.FormatFloat(float64(*a.F), 'g', -1, 32)
	case a.I != nil:
		return strconv.FormatInt(*a.I, 10)
	case a.S != nil:
		return printable(string(a.S))
	case a.T != nil:
		return "tensor"
	case a.G != nil:
		return "graph"
	case len(a.Ints) > longest || len(a.Floats) > longest:
		return fmt.Sprintf("%d numbers", len(a.Ints)+len(a.Floats))
	case len(a.Ints) > 0:
		return commas(a.Ints)
	case len(a.Floats) > 0:
		return commas(a.Floats)
	}
	return strings.ToLower(a.Type.String())
}

func commas[T any](values []T) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(values), "[]"), " ", ",")
}

// printable keeps what a file says from steering the terminal.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s)
}
