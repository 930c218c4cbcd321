package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

// greeter is a program with one command, which does action.
func greeter(action cli.ActionFunc) *cli.App {
	return &cli.App{Name: "greeter", Commands: []*cli.Command{{
		Name: "greet",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "times", Aliases: []string{"n"}},
			&cli.StringFlag{Name: "name"},
			&cli.BoolFlag{Name: "loud"},
		},
		Action: action,
	}}}
}

func TestRunEndsAsItShould(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		args   []string
		action cli.ActionFunc
		code   int
		stderr string
	}{
		"success": {context.Background(), []string{"greet"}, func(*cli.Context) error { return nil }, 0, ""},
		"failure": {
			context.Background(), []string{"greet"},
			func(*cli.Context) error { return errors.New("two\nlines") }, 1, "greeter: two lines\n",
		},
		"usage": {
			context.Background(), []string{"greet"},
			func(c *cli.Context) error { return fmt.Errorf("greet: %w", Usage(c, "%d names", 3)) }, 2,
			"greeter: greet: 3 names; see 'greeter greet --help'\n",
		},
		"interrupt": {
			cancelled, []string{"greet"},
			func(c *cli.Context) error { return c.Context.Err() }, 130, "greeter: interrupted\n",
		},
		"interrupt with a reason": {
			cancelled, []string{"greet"},
			func(c *cli.Context) error { return fmt.Errorf("after 3: %w", c.Context.Err()) }, 130, "greeter: interrupted: after 3\n",
		},
		"a cancellation of its own": {
			context.Background(), []string{"greet"},
			func(*cli.Context) error { return context.Canceled }, 1, "greeter: context canceled\n",
		},
		"no command":      {context.Background(), nil, nil, 2, "greeter: no command: want one of greet; see 'greeter --help'\n"},
		"unknown command": {context.Background(), []string{"gret"}, nil, 2, "greeter: unknown command \"gret\": did you mean greet?; see 'greeter --help'\n"},
		"unknown flag":    {context.Background(), []string{"greet", "--lod"}, nil, 2, "greeter: unknown flag --lod: did you mean --loud?; see 'greeter greet --help'\n"},
		"empty flag":      {context.Background(), []string{"greet", "--name", ""}, nil, 2, "greeter: --name is empty; see 'greeter greet --help'\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(c.ctx, greeter(c.action), append([]string{"greeter"}, c.args...), &stdout, &stderr)
			if code != c.code || stderr.String() != c.stderr || stdout.Len() != 0 {
				t.Errorf("code %d, stderr %q, stdout %q, want %d, %q, nothing", code, &stderr, &stdout, c.code, c.stderr)
			}
		})
	}
}

// A signal that is not caught ends the test itself.
func TestRunIsInterruptedBySignals(t *testing.T) {
	if goruntime.GOOS == "windows" {
		t.Skip("skipped: Windows has no signals for a process")
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		app := greeter(func(c *cli.Context) error {
			if err := self.Signal(s); err != nil {
				return err
			}
			<-c.Context.Done()
			return c.Context.Err()
		})
		var stdout, stderr bytes.Buffer
		code := Run(app, []string{"greeter", "greet"}, &stdout, &stderr)
		if code != 130 || stderr.String() != "greeter: interrupted\n" {
			t.Errorf("%v: code %d, stderr %q, want 130 and that it was interrupted", s, code, &stderr)
		}
	}
}

func TestFlagsFirst(t *testing.T) {
	for given, want := range map[string]string{
		"greet":                             "greet --",
		"greet a -n 4 b --loud c":           "greet -n 4 --loud -- a b c",
		"greet a --name=x --times -4":       "greet --name=x --times -4 -- a",
		"greet -- a -n":                     "greet -- a -n",
		"greet a - --unknown b":             "greet --unknown -- a - b",
		"greet a --name":                    "greet --name",
		"--version":                         "--version",
		"other a -n 3":                      "other a -n 3",
		"greet a --name --loud b --times=3": "greet --name --loud --times=3 -- a b",
	} {
		args := append([]string{"greeter"}, strings.Fields(given)...)
		got := strings.Join(flagsFirst(greeter(nil), args)[1:], " ")
		if got != want {
			t.Errorf("%q becomes %q, want %q", given, got, want)
		}
	}
}

func TestNewFileAndFolder(t *testing.T) {
	dir := t.TempDir()
	file, full, empty := filepath.Join(dir, "full", "file"), filepath.Join(dir, "full"), filepath.Join(dir, "empty")
	for _, d := range []string{full, empty} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	toFile, toFolder, dangling := filepath.Join(dir, "tofile"), filepath.Join(dir, "tofolder"), filepath.Join(dir, "dangling")
	for link, target := range map[string]string{toFile: file, toFolder: empty, dangling: filepath.Join(dir, "nothing")} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	newFolder := func(path string, force bool) error { _, err := NewFolder(path, force); return err }
	for _, c := range []struct {
		check func(string, bool) error
		path  string
		force bool
		want  string // empty: fine
	}{
		{NewFile, filepath.Join(dir, "new"), false, ""},
		{NewFile, file, false, "exists: --force"},
		{NewFile, file, true, ""},
		{NewFile, empty, true, "is a folder"},
		{NewFile, os.DevNull, true, "not a regular file"},
		{NewFile, toFile, false, "exists: --force"},
		{NewFile, toFile, true, ""},
		{NewFile, toFolder, true, "is a folder"},
		{NewFile, dangling, true, "not a regular file"},
		{NewFile, filepath.Join(dir, "no", "new"), true, "does not exist"},
		{NewFile, filepath.Join(file, "new"), true, "not a directory"},
		{newFolder, filepath.Join(dir, "a", "b"), false, ""},
		{newFolder, empty, false, ""},
		{newFolder, full, false, "not empty: --force"},
		{newFolder, full, true, ""},
		{newFolder, file, true, "is a file"},
	} {
		err := c.check(c.path, c.force)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s, force %v: error %v, want %q", c.path, c.force, err, c.want)
		}
		if err != nil && !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: error %v does not name it", c.path, err)
		}
	}
	if created, err := NewFolder(filepath.Join(dir, "c"), false); !created || err != nil {
		t.Errorf("a new folder: created %v, error %v", created, err)
	}
}

func TestProgressInALog(t *testing.T) {
	var b bytes.Buffer
	start := time.Now()
	p := newProgress(&b, nil, 2, 10, "things", start)
	p.set(3, start.Add(lineEvery-1)) // too early for a line
	p.set(4, start.Add(lineEvery))
	p.set(5, start.Add(2*lineEvery-1))
	p.set(10, start.Add(2*lineEvery)) // the end needs none
	p.Close()
	if diff := cmp.Diff("4 of 10 things, 0.2/s, 30s left\n", b.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	for want, done := range map[string]int{
		"2 of 10 things":                  2,
		"4 of 10 things, 0.2/s, 30s left": 4, // 2 of them in 10 s
		"10 of 10 things, 0.8/s, 0s left": 10,
	} {
		if diff := cmp.Diff(want, p.line(done, 10*time.Second)); diff != "" {
			t.Errorf("line (-want +got):\n%s", diff)
		}
	}
	p.Note("well")
	if diff := cmp.Diff("2 of 10 things, well", p.line(2, 0)); diff != "" {
		t.Errorf("line with a note (-want +got):\n%s", diff)
	}
}

// After a resume the rate and the time left are those of the new steps alone.
func TestProgressOnATerminal(t *testing.T) {
	var b bytes.Buffer
	start := time.Now()
	columns := 80
	p := newProgress(&b, func() int { return columns }, 900, 1000, "steps", start)
	p.Note("d_loss 1.386 g_loss 0.693")
	var shown []string
	for _, c := range []struct {
		done    int
		after   time.Duration
		columns int
	}{{901, barEvery - 1, 80}, {902, barEvery, 80}, {910, 10 * time.Second, 80}, {910, 20 * time.Second, 30}} {
		b.Reset()
		columns = c.columns
		p.set(c.done, start.Add(c.after))
		drawn := strings.Split(strings.TrimSpace(b.String()), "\r")
		text, _, _ := strings.Cut(drawn[len(drawn)-1], "|")
		shown = append(shown, text)
	}
	want := []string{
		"", // too early
		"902 of 1000 steps, 20/s, 5s left, d_loss 1.386 g_loss 0.693  90% ",
		"910 of 1000 steps, 1/s, 1m30s left, d_loss 1.386 g_loss 0.693  91% ",
		"910 of 1000 steps, 0  91% ", // 20 of the 30 columns are for the line
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("bar (-want +got):\n%s", diff)
	}
	b.Reset()
	p.Close()
	if strings.TrimSpace(b.String()) != "" || b.Len() == 0 {
		t.Errorf("closing writes %q, want blanks over the bar", &b)
	}
}
