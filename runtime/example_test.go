package runtime_test

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"log"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
)

// A generator makes a picture out of four numbers.
func Example() {
	ctx := context.Background()
	generator, err := runtime.Open(ctx, "testdata/generator.onnx", runtime.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer generator.Close()

	z := tensor.New(tensor.WithShape(1, 4), tensor.WithBacking([]float32{1, 0, -1, 0.5}))
	out, err := generator.Run(ctx, map[string]*tensor.Dense{"z": z})
	if err != nil {
		log.Fatal(err)
	}
	picture := image.NewGray(image.Rect(0, 0, 2, 2)) // image is [1, 1, 2, 2], from -1 to 1
	for i, v := range out["image"].Data().([]float32) {
		picture.Pix[i] = uint8((v + 1) * 127.5)
	}
	if err := png.Encode(io.Discard, picture); err != nil { // or a file
		log.Fatal(err)
	}
	fmt.Println(generator.Inputs()[0], "->", generator.Outputs()[0])
	fmt.Println(picture.Pix)
	// Output:
	// z float32 [batch, 4] -> image float32 [batch, 1, 2, 2]
	// [100 22 85 44]
}
