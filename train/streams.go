// Package train trains GANs: it builds a recipe's step, feeds it, and keeps
// what a run leaves behind.
package train

// Everything random in a run is drawn from a counter, keyed by the seed and one
// of these streams, so that a run's random state is the number of its step.
// Stream 0 belongs to pictures made from a trained generator; a run's sample
// grids use it too, so that they can be made again from the exported model.
const (
	pictureStream       = 0
	generatorStream     = 1 // starting weights
	discriminatorStream = 2
	orderStream         = 3       // which real images
	noiseStream         = 64      // and on, one for each Noise of a recipe
	maskStream          = 128     // and on, one for each dropout mask of a step
	labelStream         = 1 << 32 // and on, one for each Noise of a recipe: the classes asked for with it
)

// DataStream is that of data which is itself drawn, as the parabola is.
const DataStream = 4
