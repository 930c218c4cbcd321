package main

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gantrain/gantrain/cmd/internal/script"
	"github.com/gantrain/gantrain/runtime/picture"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ganinfer": main})
}

// TestScripts runs testdata/script/*.txtar: one for each way to use the program,
// and one for each kind of bad input.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"pictures": makePictures,
			"vectors":  makeVectors,
			"near":     compareArrays,
			"pngs":     countPictures,
			"barepath": barePath,
			"exitcode": script.ExitCode,
			"waitfor":  script.WaitFor,
		},
		Condition: script.Condition,
	})
}

// setup gives a script the models, two that Keras exported, and the caches of whoever runs the tests: the
// ONNX Runtime library is fetched once, not once a script.
func setup(env *testscript.Env) error {
	script.Environment(env)
	exported := os.DirFS("../../train/keras/testdata/tf/models/fredriksson-2d")
	if err := os.CopyFS(filepath.Join(env.WorkDir, "keras"), exported); err != nil {
		return err
	}
	return writeModels(env.WorkDir)
}

// makePictures FILE WIDTH HEIGHT LEVEL writes a flat grey PNG.
func makePictures(ts *testscript.TestScript, _ bool, args []string) {
	var n [3]int
	for i := range n {
		var err error
		n[i], err = strconv.Atoi(args[i+1])
		ts.Check(err)
	}
	img := image.NewGray(image.Rect(0, 0, n[0], n[1]))
	for i := range img.Pix {
		img.Pix[i] = uint8(n[2])
	}
	ts.Check(picture.WritePNG(ts.MkAbs(args[0]), img))
}

// makeVectors FILE TYPE ROWS COLUMNS VALUE writes a NumPy matrix of one value
// by hand, so that its header can be wrong.
func makeVectors(ts *testscript.TestScript, _ bool, args []string) {
	rows, err := strconv.Atoi(args[2])
	ts.Check(err)
	cols, err := strconv.Atoi(args[3])
	ts.Check(err)
	v, err := strconv.ParseFloat(args[4], 64)
	ts.Check(err)
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }\n", args[1], rows, cols)
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
	b = append(b, header...)
	for range rows * cols {
		if args[1] == "<f8" {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		} else {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

// compareArrays FILE FILE holds two NumPy arrays of float32 against each other, that
// may differ by rounding.
func compareArrays(ts *testscript.TestScript, _ bool, args []string) {
	var values [2][]byte
	for i := range values {
		b, err := os.ReadFile(ts.MkAbs(args[i]))
		ts.Check(err)
		header := 10 + int(binary.LittleEndian.Uint16(b[8:]))
		values[i] = b[header:]
	}
	a, b := values[0], values[1]
	if len(a) != len(b) || len(a) == 0 {
		ts.Fatalf("%d and %d bytes of values", len(a), len(b))
	}
	for ; len(a) > 0; a, b = a[4:], b[4:] {
		x, y := math.Float32frombits(binary.LittleEndian.Uint32(a)), math.Float32frombits(binary.LittleEndian.Uint32(b))
		if !(math.Abs(float64(x-y)) <= 1e-6) {
			ts.Fatalf("%g and %g", x, y)
		}
	}
}

// barePath leaves nothing on the PATH but the program under test: no go command.
func barePath(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Setenv("PATH", filepath.SplitList(ts.Getenv("PATH"))[0])
}

// countPictures FOLDER [COUNT] fails unless the folder holds whole PNG pictures
// and nothing else, COUNT of them.
func countPictures(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, e := range entries {
		_, err = picture.Read(filepath.Join(ts.MkAbs(args[0]), e.Name()))
		ts.Check(err)
	}
	if len(args) == 2 && strconv.Itoa(len(entries)) != args[1] {
		ts.Fatalf("%d pictures, want %s", len(entries), args[1])
	}
}
