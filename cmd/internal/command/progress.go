package command

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// How often progress is shown in a log, and on a terminal.
const (
	lineEvery = 10 * time.Second
	barEvery  = 100 * time.Millisecond
)

// Progress shows how far a long task is: a bar on a terminal, a line now and
// then in a log.
type Progress struct {
	w       io.Writer
	bar     *progressbar.ProgressBar // nil in a log
	columns func() int               // of the terminal
	first   int                      // done before it started
	total   int
	what    string
	note    string
	start   time.Time
	next    time.Time // when to show it again
}

// NewProgress shows the progress of total things, called what, on w; done of
// them were done before.
func NewProgress(w io.Writer, done, total int, what string) *Progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return newProgress(w, nil, done, total, what, time.Now())
	}
	columns := func() int {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return width
		}
		return 80
	}
	return newProgress(w, columns, done, total, what, time.Now())
}

// newProgress starts at a given time; columns is nil for a log.
func newProgress(w io.Writer, columns func() int, done, total int, what string, now time.Time) *Progress {
	p := &Progress{w: w, columns: columns, first: done, total: total, what: what, start: now, next: now.Add(lineEvery)}
	if columns != nil {
		// The numbers are our own line: the bar's would count what was done
		// before as work of the first half second.
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(w),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionFullWidth(),
			progressbar.OptionClearOnFinish(),
		)
		p.next = now
		p.set(done, now)
	}
	return p
}

// Note sets a few words that are shown beside the numbers from then on.
func (p *Progress) Note(words string) { p.note = words }

// Set says that done things are done.
func (p *Progress) Set(done int) { p.set(done, time.Now()) }

func (p *Progress) set(done int, now time.Time) {
	if now.Before(p.next) {
		return
	}
	switch {
	case p.bar != nil:
		_ = p.bar.Set(done) // a terminal that is gone is no reason to stop
		// Beside the line stand " 100% || ". What would wrap is cut: a bar
		// can be drawn over on one row only.
		line := p.line(done, now.Sub(p.start))
		p.bar.Describe(line[:min(len(line), max(0, p.columns()-10))])
		p.next = now.Add(barEvery)
	case done < p.total:
		fmt.Fprintln(p.w, p.line(done, now.Sub(p.start)))
		p.next = now.Add(lineEvery)
	}
}

// line is what both show: "120 of 936 steps, 3.8/s, 3m35s left, note".
func (p *Progress) line(done int, elapsed time.Duration) string {
	line := fmt.Sprintf("%d of %d %s", done, p.total, p.what)
	if done > p.first {
		each := elapsed / time.Duration(done-p.first)
		left := time.Duration(p.total-done) * each
		line += fmt.Sprintf(", %.3g/s, %v left", 1/each.Seconds(), left.Round(time.Second))
	}
	if p.note != "" {
		line += ", " + p.note
	}
	return line
}

// Close removes the bar.
func (p *Progress) Close() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
