package train_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
)

// A GAN of one's own, that learns points of the plane: defined, trained for 20
// steps and exported. For pictures, Image is their shape and data those of
// dataset.Folder, say.
func Example() {
	const seed = 1
	dense := func(units int) arch.Layer { return arch.Dense{Units: units, Init: arch.Glorot} }
	adam := arch.Adam{Rate: 1e-3, Beta1: 0.5, Beta2: 0.999, Epsilon: 1e-7}
	gan := arch.GAN{
		Name: "mine", Image: arch.Shape{2}, Latent: arch.Latent{Size: 4, Distribution: "normal"},
		Generator:     arch.Network{Input: arch.Shape{4}, Layers: arch.Layers{dense(16), arch.ReLU{}, dense(2)}},
		Discriminator: arch.Network{Input: arch.Shape{2}, Layers: arch.Layers{dense(16), arch.ReLU{}, dense(1), arch.Sigmoid{}}},
		Recipe: arch.Recipe{
			Batch: 50, Epochs: 1, Sampling: arch.Shuffled,
			Updates: []arch.Update{{Trains: arch.Discriminator, RealLabel: 0.9}, {Trains: arch.Generator, FakeLabel: 1}},
			Adam:    map[arch.Role]arch.Adam{arch.Discriminator: adam, arch.Generator: adam},
		},
		Grid: arch.Grid{Rows: 10, Columns: 10, Every: 1},
	}
	data := dataset.Parabola(1000, seed, train.DataStream)
	folder, err := os.MkdirTemp("", "gan")
	check(err)
	defer os.RemoveAll(folder)

	state, err := train.NewState(gan, seed)
	check(err)
	model := &train.Model{GAN: gan, State: state, Seed: seed, Dataset: data.Name}
	goal := gan.Recipe.Epochs * gan.Recipe.StepsPerEpoch(data.Len())
	run, err := train.NewRun(context.Background(), folder, model, data, goal, "", train.Options{})
	check(err)
	check(run.Train(context.Background()))
	check(run.Close())

	generator, err := runtime.Open(context.Background(), run.Path("generator.onnx"), runtime.Options{})
	check(err)
	defer generator.Close()
	fmt.Println(model.Step, "steps:", generator.Inputs()[0], "->", generator.Outputs()[0])
	// Output:
	// 20 steps: z float32 [batch, 4] -> points float32 [batch, 2]
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
