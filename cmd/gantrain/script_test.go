package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/cmd/internal/script"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/runtime/picture"
	"github.com/gantrain/gantrain/train/record"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gantrain": main})
}

// TestScripts runs testdata/script/*.txtar: one for each way to use the program,
// and one for each kind of bad input.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"digits":    makeDigits,
			"numbers":   makeNumbers,
			"photos":    makePhotos,
			"generate":  generate,
			"losses":    compareLosses,
			"compress":  compress,
			"cut":       cut,
			"flip":      flip,
			"disk":      mountDisk,
			"exitcode":  script.ExitCode,
			"waitfor":   script.WaitFor,
			"interrupt": script.Interrupt,
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "disk":
				return canMount(t), nil
			case "long":
				return !testing.Short(), nil
			}
			return script.Condition(name)
		},
	})
}

func setup(env *testscript.Env) error {
	script.Environment(env)
	recordings, err := filepath.Abs("../../train/keras/testdata/training")
	env.Setenv("RECORDINGS", recordings)
	return err
}

// makeDigits FOLDER COUNT HEIGHT WIDTH [CLASSES] writes pictures of noise as an
// IDX file, and beside it labels of so many classes in turn.
func makeDigits(ts *testscript.TestScript, _ bool, args []string) {
	shape := make([]int, 3)
	for i := range shape {
		var err error
		shape[i], err = strconv.Atoi(args[1+i])
		ts.Check(err)
	}
	folder := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(folder, 0o755))
	ts.Check(os.WriteFile(filepath.Join(folder, "train-images-idx3-ubyte"), idx(shape...), 0o644))
	if len(args) == 5 {
		classes, err := strconv.Atoi(args[4])
		ts.Check(err)
		ts.Check(os.WriteFile(filepath.Join(folder, "train-labels-idx1-ubyte"), idxLabels(shape[0], classes), 0o644))
	}
}

// compareLosses FILE FILE STEPS fails unless both hold the losses of so many
// steps, none of which differ by more than 1e-5.
func compareLosses(ts *testscript.TestScript, _ bool, args []string) {
	var tables []record.Table
	for _, path := range args[:2] {
		table, err := record.ReadLosses(ts.MkAbs(path))
		ts.Check(err)
		if fmt.Sprint(len(table.Steps)) != args[2] {
			ts.Fatalf("%s: %d steps, want %s", path, len(table.Steps), args[2])
		}
		tables = append(tables, table)
	}
	for column, values := range tables[0].Values {
		for i, v := range values {
			if w := tables[1].Values[column][i]; !(math.Abs(v-w) <= 1e-5) {
				ts.Fatalf("%s of step %d: %v against %v", tables[0].Columns[column], i+1, v, w)
			}
		}
	}
}

// idx is an IDX file of noise.
func idx(shape ...int) []byte {
	file := []byte{0, 0, 8, byte(len(shape))}
	size := 1
	for _, n := range shape {
		file = binary.BigEndian.AppendUint32(file, uint32(n))
		size *= n
	}
	for i := range uint64(size) {
		file = append(file, byte(latent.Philox([2]uint64{}, [4]uint64{i})[0]))
	}
	return file
}

// makeNumbers FILE COUNT writes pictures of noise in SVHN's form, with labels 1
// to 10 in turn.
func makeNumbers(ts *testscript.TestScript, _ bool, args []string) {
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	labels := make([]byte, count)
	for i := range labels {
		labels[i] = byte(1 + i%10)
	}
	file := append(bytes.Repeat([]byte(" "), 124), 0, 1, 'I', 'M')
	file = append(file, matVariable("X", idx(32, 32, 3, count)[4+4*4:], 32, 32, 3, count)...)
	file = append(file, matVariable("y", labels, count, 1)...)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), file, 0o644))
}

// matVariable is an array of bytes as MATLAB writes it, not compressed.
func matVariable(name string, data []byte, dims ...int) []byte {
	element := func(kind uint32, data []byte) []byte {
		b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, kind), uint32(len(data)))
		return append(append(b, data...), make([]byte, -len(data)&7)...)
	}
	var sizes []byte
	for _, d := range dims {
		sizes = binary.LittleEndian.AppendUint32(sizes, uint32(d))
	}
	const matrix, class, chars, number, unsigned = 14, 6, 1, 5, 2
	return element(matrix, slices.Concat(
		element(class, []byte{9, 0, 0, 0, 0, 0, 0, 0}), element(number, sizes), element(chars, []byte(name)), element(unsigned, data)))
}

// makePhotos FOLDER COUNT WIDTH HEIGHT writes PNG files of one colour each.
func makePhotos(ts *testscript.TestScript, _ bool, args []string) {
	var n [3]int
	for i := range n {
		var err error
		n[i], err = strconv.Atoi(args[1+i])
		ts.Check(err)
	}
	folder := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(folder, 0o755))
	for i := range n[0] {
		img := image.NewRGBA(image.Rect(0, 0, n[1], n[2]))
		draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{byte(40 * i), 200, byte(255 - 30*i), 255}), image.Point{}, draw.Src)
		ts.Check(picture.WritePNG(filepath.Join(folder, fmt.Sprintf("%d.png", i)), img))
	}
}

// generate MODEL LATENT SHAPE makes three pictures and fails unless they have
// the shape and lie in [-1, 1].
func generate(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	session, err := runtime.Open(context.Background(), ts.MkAbs(args[0]), runtime.Options{})
	ts.Check(err)
	defer session.Close()
	z := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(3, size))
	latent.Fill(z.Float32s(), latent.Normal, 1, 0, 0)
	out, err := session.Run(context.Background(), map[string]*tensor.Dense{"z": z})
	ts.Check(err)
	images := out["image"]
	if got := fmt.Sprint([]int(images.Shape())); got != args[2] {
		ts.Fatalf("pictures of %s, want %s", got, args[2])
	}
	for _, v := range images.Float32s() {
		if !(v >= -1 && v <= 1) {
			ts.Fatalf("a pixel of %g", v)
		}
	}
}

// idxLabels is an IDX file of classes in turn.
func idxLabels(count, classes int) []byte {
	file := idx(count)
	labels := file[len(file)-count:]
	for i := range labels {
		labels[i] = byte(i % classes)
	}
	return file
}

// compress FILE makes FILE.gz of a file.
func compress(ts *testscript.TestScript, _ bool, args []string) {
	plain, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err = z.Write(plain)
	ts.Check(err)
	ts.Check(z.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0])+".gz", b.Bytes(), 0o644))
	ts.Check(os.Remove(ts.MkAbs(args[0])))
}

// cut FILE removes the second half of a file.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), info.Size()/2))
}

// flip FILE changes one bit in the middle of a file.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	b[len(b)/2] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

// mountDisk FOLDER MEGABYTES mounts a small disk until the script ends.
func mountDisk(ts *testscript.TestScript, _ bool, args []string) {
	folder := ts.MkAbs(args[0])
	ts.Check(os.Mkdir(folder, 0o755))
	ts.Check(exec.Command("mount", "-t", "tmpfs", "-o", "size="+args[1]+"m", "none", folder).Run())
	ts.Defer(func() { ts.Check(exec.Command("umount", "--lazy", folder).Run()) })
}

// canMount tells whether a script may mount a disk.
func canMount(t *testing.T) bool {
	folder := t.TempDir()
	if exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "none", folder).Run() != nil {
		return false
	}
	return exec.Command("umount", folder).Run() == nil
}
