package command

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of a command before its arguments, since the flag
// parser stops at the first argument: "generate g.onnx -n 4" is what people
// write. What follows "--" stays an argument.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	command := app.Command(args[1])
	if command == nil {
		return args
	}
	var flags, rest []string
	left := args[2:]
	for len(left) > 0 {
		arg := left[0]
		left = left[1:]
		if arg == "--" {
			rest = append(rest, left...)
			break
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			rest = append(rest, arg)
			continue
		}
		flags = append(flags, arg)
		if takesValue(command, arg) {
			if len(left) == 0 { // the parser says which value is missing
				return slices.Concat(args[:2], flags)
			}
			flags = append(flags, left[0])
			left = left[1:]
		}
	}
	return slices.Concat(args[:2], flags, []string{"--"}, rest)
}

// takesValue says whether the value of a flag is the next argument.
func takesValue(command *cli.Command, arg string) bool {
	if strings.Contains(arg, "=") {
		return false
	}
	name := strings.TrimLeft(arg, "-")
	for _, f := range command.Flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			return !isBool
		}
	}
	return false
}
