package command

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// lineEvery is how often progress in a log gets a line.
const lineEvery = 10 * time.Second

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
	next  time.Time
}

// NewProgress shows the progress of total things, called what, on w; done of
// them were done before.
func NewProgress(w io.Writer, done, total int, what string) *Progress {
	now := time.Now()
	p := &Progress{w: w, first: done, total: total, what: what, start: now, next: now.Add(lineEvery)}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(w),
			progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionFullWidth(),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
		_ = p.bar.Set(done)
	}
	return p
}

// Note sets a few words that are shown beside the numbers from then on.
func (p *Progress) Note(words string) {
	p.note = words
	if p.bar != nil {
		p.bar.Describe(words)
	}
}

// Set says that done things are done.
func (p *Progress) Set(done int) {
	switch now := time.Now(); {
	case p.bar != nil:
		_ = p.bar.Set(done) // a terminal that is gone is no reason to stop
	case now.After(p.next) && done < p.total:
		fmt.Fprintln(p.w, p.line(done, now.Sub(p.start)))
		p.next = now.Add(lineEvery)
	}
}

// line is what a log shows: "120 of 936 steps, 3.8/s, 3m35s left, note".
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
