package train

import (
	_ "embed"
	"html/template"
	"io"
	"time"

	"github.com/gantrain/gantrain/internal/safefile"
	"github.com/gantrain/gantrain/train/record"
)

//go:embed export.html
var exportHTML string

var exportTemplate = template.Must(template.New("export").Funcs(template.FuncMap{
	"style": func() template.CSS { return template.CSS(record.Style) },
	"round": func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) },
}).Parse(exportHTML))

// WritePage writes the report as a page of HTML that stands alone.
func (r *ExportReport) WritePage(path string) error {
	return safefile.WriteUnsynced(path, func(w io.Writer) error { return exportTemplate.Execute(w, r) })
}
