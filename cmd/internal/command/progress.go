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
	total int
	what  string
	next  time.Time
}

// NewProgress shows the progress of total things, called what, on w.
func NewProgress(w io.Writer, total int, what string) *Progress {
	p := &Progress{w: w, total: total, what: what, next: time.Now().Add(lineEvery)}
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
	}
	return p
}

// Set says that done things are done.
func (p *Progress) Set(done int) {
	switch now := time.Now(); {
	case p.bar != nil:
		_ = p.bar.Set(done) // a terminal that is gone is no reason to stop
	case now.After(p.next) && done < p.total:
		fmt.Fprintf(p.w, "%d of %d %s\n", done, p.total, p.what)
		p.next = now.Add(lineEvery)
	}
}

// Close removes the bar.
func (p *Progress) Close() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
