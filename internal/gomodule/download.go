package gomodule

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// download lets the go command fetch the module and returns the folder of its
// unpacked files. dst appears in the advice for a machine without Go.
func (f File) download(ctx context.Context, dst string) (string, error) {
	goCmd, err := exec.LookPath("go")
	if err != nil {
		return "", fmt.Errorf("no go command to fetch it: run 'go mod download %s@%s' on a machine with Go and copy the file to %s",
			f.Module, f.Version, dst)
	}
	// An empty folder as working directory: the caller's may belong to a
	// module whose requirements have no bearing here, or be write-protected.
	empty, err := os.MkdirTemp("", "gantrain-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(empty)

	cmd := exec.CommandContext(ctx, goCmd, "mod", "download", "-json", f.Module+"@"+f.Version)
	cmd.Dir = empty
	cmd.Env = append(os.Environ(), "GO111MODULE=on", "GOWORK=off", "GOFLAGS="+withoutModfile(os.Getenv("GOFLAGS")))
	cmd.WaitDelay = time.Second // a killed go may leave a child that holds its output open
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}

	// go reports a failed download in the JSON, a failed start on stderr.
	var answer struct{ Dir, Error string }
	jsonErr := json.Unmarshal(stdout.Bytes(), &answer)
	switch {
	case answer.Error != "":
		return "", fmt.Errorf("go mod download: %s", oneLine(answer.Error))
	case runErr != nil:
		return "", fmt.Errorf("go mod download: %s", cmp.Or(oneLine(stderr.String()), runErr.Error()))
	case jsonErr != nil:
		return "", fmt.Errorf("go mod download: unexpected answer: %w", jsonErr)
	case answer.Dir == "":
		return "", errors.New("go mod download: no folder in its answer")
	}
	return answer.Dir, nil
}

// withoutModfile drops -modfile from the user's GOFLAGS and leaves the rest:
// outside the module that it belongs to, it is an error.
func withoutModfile(goflags string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(goflags), func(flag string) bool {
		return strings.HasPrefix(strings.TrimLeft(flag, "-"), "modfile=")
	}), " ")
}

// oneLine folds a message of several lines into one.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
