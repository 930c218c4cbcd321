// Package command is what the command lines of this project share: how errors
// end a program, flags that may follow arguments, progress, and output that is
// never overwritten by accident.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/internal/nearest"
)

// Exit codes of a program.
const (
	failed      = 1
	wrongUsage  = 2
	interrupted = 130 // as a shell reports a program ended by SIGINT; for SIGTERM too
)

// Run runs app with args (the program's name first) and returns its exit code:
// 0, 1 after an error, 2 after wrong usage, 130 after Ctrl-C or SIGTERM, which
// cancel the context that actions see. An error is one line on stderr after the program's
// name. Flags may stand before or after a command's arguments.
func Run(app *cli.App, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	return run(ctx, app, args, stdout, stderr)
}

func run(ctx context.Context, app *cli.App, args []string, stdout, stderr io.Writer) int {
	prepare(app, stdout, stderr)
	err := app.RunContext(ctx, flagsFirst(app, args))
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %s; see '%s --help'\n", app.Name, oneLine(err), usage.command)
		return wrongUsage
	case ctx.Err() != nil: // whatever the interruption broke
		reason := strings.TrimSuffix(oneLine(err), context.Canceled.Error()) // said already
		fmt.Fprintln(stderr, strings.TrimSuffix(app.Name+": interrupted: "+reason, ": "))
		return interrupted
	}
	fmt.Fprintf(stderr, "%s: %s\n", app.Name, oneLine(err))
	return failed
}

// prepare replaces the library's own ways to end: pages of help after an error,
// and exits from within.
func prepare(app *cli.App, stdout, stderr io.Writer) {
	app.Writer, app.ErrWriter = stdout, stderr
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.OnUsageError = onUsageError
	app.Action = noCommand
	if info, ok := debug.ReadBuildInfo(); ok {
		app.Version = info.Main.Version
	}
	for _, c := range app.Commands {
		c.OnUsageError = onUsageError
		c.Before = noEmptyFlag
		c.HideHelpCommand = true // "help" may be a file
	}
}

// usageError is wrong usage of a command.
type usageError struct {
	command string // "ganinfer generate"
	message string
}

func (e *usageError) Error() string { return e.message }

// Usage returns an error that ends the program with exit code 2 and points to
// the help of the command that is running.
func Usage(c *cli.Context, format string, args ...any) error {
	name := c.App.Name
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != name {
		name += " " + c.Command.Name
	}
	return &usageError{name, fmt.Sprintf(format, args...)}
}

// onUsageError says in our words what the flag parser says in its own.
func onUsageError(c *cli.Context, err error, _ bool) error {
	message := err.Error()
	if name, ok := strings.CutPrefix(message, "flag provided but not defined: -"); ok {
		var known []string
		for _, f := range c.Command.Flags {
			for _, n := range f.Names() {
				known = append(known, dashed(n))
			}
		}
		given := dashed(strings.TrimLeft(name, "-"))
		return Usage(c, "unknown flag %s%s", given, nearest.Hint(given, known))
	}
	return Usage(c, "%s", message)
}

// noEmptyFlag refuses --out "", which is mostly a variable of a script that is
// not set: what was meant is not what comes without the flag.
func noEmptyFlag(c *cli.Context) error {
	for _, f := range c.Command.Flags {
		if name := f.Names()[0]; c.IsSet(name) && c.Value(name) == "" {
			return Usage(c, "%s is empty", dashed(name))
		}
	}
	return nil
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// noCommand runs where no command of the app was named.
func noCommand(c *cli.Context) error {
	var names []string
	for _, command := range c.App.VisibleCommands() {
		if command.Name != "help" {
			names = append(names, command.Name)
		}
	}
	if !c.Args().Present() {
		return Usage(c, "no command: want one of %s", strings.Join(names, ", "))
	}
	name := c.Args().First()
	return Usage(c, "unknown command %q%s", name, nearest.Hint(name, names))
}

// oneLine joins the lines of an error's text.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}
