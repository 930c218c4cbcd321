package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/train/arch"
)

func newList() *cli.Command {
	return &cli.Command{
		Name:        "list",
		Usage:       "list the architectures",
		Description: "Example:\n\ngantrain list",
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return command.Usage(c, "unexpected argument %q", c.Args().First())
			}
			return list(c.App.Writer)
		},
	}
}

func list(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tDATA\tLATENT\tGENERATOR\tDISCRIMINATOR\tDOCUMENT")
	for _, p := range arch.All() {
		generator, err := count(p.Generator)
		if err != nil {
			return err
		}
		discriminator, err := count(p.Discriminator)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\t%d %s\t%d\t%d\t%s\n", p.Name, size(p.Image), p.Latent.Size, p.Latent.Distribution,
			generator, discriminator, p.Title)
	}
	return table.Flush()
}

// count is the number of parameters of a network.
func count(n arch.Network) (int, error) {
	rows, err := n.Rows()
	total := 0
	for _, r := range rows {
		total += r.Count()
	}
	return total, err
}
