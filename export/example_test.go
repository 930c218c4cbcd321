package export_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/runtime"
)

// convnet is a classifier of digits made of Gorgonia's own operators, after the
// one of its examples: images [n, 1, 28, 28] become classes [n, 10].
func convnet(g *gorgonia.ExprGraph, n int) (images, classes *gorgonia.Node) {
	weight := func(name string, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...),
			gorgonia.WithName(name), gorgonia.WithInit(gorgonia.GlorotN(1)))
	}
	images = gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(n, 1, 28, 28), gorgonia.WithName("images"))
	x := images
	for i, filters := range []int{8, 16} {
		w := weight(fmt.Sprintf("conv%d/weight", i+1), filters, x.Shape()[1], 3, 3)
		x = gorgonia.Must(gorgonia.Conv2d(x, w, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))
		x = gorgonia.Must(gorgonia.Rectify(x))
		x = gorgonia.Must(gorgonia.MaxPool2D(x, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	}
	x = gorgonia.Must(gorgonia.Reshape(x, tensor.Shape{n, 16 * 7 * 7}))
	x = gorgonia.Must(gorgonia.Mul(x, weight("dense/weight", 16*7*7, 10)))
	return images, gorgonia.Must(gorgonia.SoftMax(x))
}

// Any Gorgonia graph can be exported, here a classifier. It was built for
// batches of 64 and runs at any size.
func Example() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "convnet.onnx")

	images, classes := convnet(gorgonia.NewGraph(), 64)
	// ... it would be trained here
	model, err := export.Graph(export.Model{
		Inputs:    []export.Port{{Name: "images", Node: images}},
		Outputs:   []export.Port{{Name: "classes", Node: classes}},
		BatchAxis: "batch",
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := export.Write(file, model); err != nil {
		log.Fatal(err)
	}

	session, err := runtime.Open(context.Background(), file, runtime.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	for _, n := range model.Graph.Node {
		fmt.Print(n.OpType, " ")
	}
	out, err := session.Run(context.Background(), map[string]*tensor.Dense{
		"images": tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(3, 1, 28, 28)),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("classes", out["classes"].Shape())
	// Output:
	// Conv GreaterOrEqual Cast Mul MaxPool Conv GreaterOrEqual Cast Mul MaxPool Reshape MatMul Softmax classes (3, 10)
}

// What can't be exported is named, all of it at once.
func ExampleGraph_refused() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(8, 4), gorgonia.WithName("x"))
	half := gorgonia.Must(gorgonia.Dropout(x, 0.5))
	first := gorgonia.Must(gorgonia.Slice(half, gorgonia.S(0)))
	_, err := export.Graph(export.Model{
		Inputs:    []export.Port{{Name: "x", Node: x}},
		Outputs:   []export.Port{{Name: "first", Node: first}},
		BatchAxis: "batch",
	})
	fmt.Println(err)
	// Output:
	// export: Dropout{training=true}() of shape (8, 4): operator *gorgonia.dropoutOp drops at random: build the graph without it
}
