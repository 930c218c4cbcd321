package ort

// Waiting is what a session's threads do while there is no work for them.
type Waiting int

const (
	Spin          Waiting = iota // look for work without pause
	SpinDuringRun                // the same, but sleep between runs
	Sleep                        // sleep, within a run too
)

// waitings are the settings that make ONNX Runtime wait so.
//
// Medians on two cores, interleaved, ONNX Runtime 1.24.4: a graph of 72
// elementwise operators on 36 MB took 8.0, 7.3 and 9.8 ms; an MLP generator 0.12,
// 0.17 and 0.22 ms for one picture, 3.3, 3.2 and 3.6 ms for 256, and 4.5, 3.4 and
// 4.1 ms for 256 while Go computed on both cores too. 20000 pictures from it as
// PNG took ganinfer 2.9, 2.4 and 2.0 s, with other work on the machine.
var waitings = [...]struct{ key, value string }{
	Spin:          {"session.intra_op.allow_spinning", "1"}, // the default
	SpinDuringRun: {"session.force_spinning_stop", "1"},
	Sleep:         {"session.intra_op.allow_spinning", "0"},
}
