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
	w     io.Writer
	bar   *progressbar.ProgressBar // nil in a log
	first int                      // done before it started
	total int
	what  string
	note  string
	start time.Time
	next  time.Time // when to show it again
}

// NewProgress shows the progress of total things, called what, on w; done of
// them were done before.
func NewProgress(w io.Writer, done, total int, what string) *Progress {
	f, ok := w.(*os.File)
	return newProgress(w, ok && term.IsTerminal(int(f.Fd())), done, total, what, time.Now())
}

func newProgress(w io.Writer, terminal bool, done, total int, what string, now time.Time) *Progress {
	p := &Progress{w: w, first: done, total: total, what: what, start: now, next: now.Add(lineEvery)}
	if terminal {
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
		p.bar.Describe(p.line(done, now.Sub(p.start)))
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
