// Package script is what the command lines' tests by script share: the commands
// that testscript lacks, and the caches of whoever runs the tests.
package script

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Command is a command of a script.
type Command = func(ts *testscript.TestScript, negated bool, args []string)

// Environment gives a script the caches of whoever runs the tests: what the Go
// toolchain fetches is fetched once, not once a script.
func Environment(env *testscript.Env) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if name == "HOME" || name == "XDG_CACHE_HOME" || name == "ONNXRUNTIME_LIB" || strings.HasPrefix(name, "GO") {
			env.Vars = append(env.Vars, v)
		}
	}
}

// Condition knows [root].
func Condition(name string) (bool, error) {
	if name == "root" {
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// ExitCode is exitcode CODE COMMAND...: it fails unless the command ends with
// the code.
func ExitCode(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// Interrupt is interrupt: it interrupts the programs in the background, again and
// again, until they have ended. A program that hasn't yet begun to heed the second
// interrupt, on a busy machine, gets more.
func Interrupt(ts *testscript.TestScript, _ bool, _ []string) {
	for _, cmd := range ts.BackgroundCmds() {
		for cmd.Process.Signal(os.Interrupt) == nil {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// WaitFor is waitfor FILE: it waits until the file exists.
func WaitFor(ts *testscript.TestScript, _ bool, args []string) {
	for range 3000 {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("%s did not appear", args[0])
}
