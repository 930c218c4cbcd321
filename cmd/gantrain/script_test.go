package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gantrain/gantrain/cmd/internal/script"
	"github.com/gantrain/gantrain/runtime/latent"
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
			"digits":   makeDigits,
			"losses":   compareLosses,
			"compress": compress,
			"cut":      cut,
			"flip":     flip,
			"disk":     mountDisk,
			"exitcode": script.ExitCode,
			"waitfor":  script.WaitFor,
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
	return nil
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
