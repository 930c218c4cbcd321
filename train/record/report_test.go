package record

import (
	"encoding/base64"
	"encoding/xml"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// samplePage is a page of invented values, with all that a page can have.
func samplePage(t *testing.T) Page {
	t.Helper()
	path := func(name string) string { return filepath.Join(t.TempDir(), name) }
	p := Page{
		Title: `tiny <gan> & "co"`, Subtitle: "A document, 2022",
		Warnings: []string{"mode collapse: <1% & falling"},
		Asked:    []Fact{{"seed", "7"}, {"data", "<script>alert(1)</script>"}},
		Results:  []Fact{{"generator's loss", "0.9"}},
		Samples:  path("samples.png"), Real: path("real.png"), Animation: path("samples.gif"),
		Losses: path("losses.png"), Distribution: path("outputs.png"),
		Networks: []Network{
			{"Generator", []Layer{{"dense1", "4 units", "4", 12345, "the listing"}, {"tanh1", "", "4", 0, "our choice"}}},
			{"Discriminator", []Layer{{"dense1", "1 unit", "1", 5, ""}}},
		},
		Generator: Generator{File: "generator.onnx", Latent: 4, Output: "image", Shape: "1, 2, 2", Min: -1, Max: 1},
	}
	for _, err := range []error{
		Grid(p.Samples, shades(6, 1, 8, 8), 3, -1, 1, false),
		Grid(p.Real, shades(6, 3, 8, 8), 3, -1, 1, false),
		Animate(p.Animation, []Frame{{p.Samples, ""}, {p.Samples, ""}}, time.Second),
		PlotLosses(noisy(t, 30), p.Losses, "losses"),
		Histogram(p.Distribution, "outputs", []float64{0.9}, []float64{0.1}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func report(t *testing.T, p Page) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := Report(path, p); err != nil {
		t.Fatal(err)
	}
	return contents(t, path)
}

func TestReport(t *testing.T) {
	p := samplePage(t)
	text := report(t, p)
	for _, want := range []string{
		"<title>tiny &lt;gan&gt; &amp; &#34;co&#34;</title>", "A document, 2022",
		"mode collapse: &lt;1% &amp; falling", "&lt;script&gt;alert(1)&lt;/script&gt;", "<dd>7</dd>",
		"12,345", "the listing", "our choice", "generator.onnx", "standard normal",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if n := strings.Count(text, "<th>Source</th>"); n != 1 { // the discriminator's layers have none
		t.Errorf("%d columns of sources", n)
	}

	// The pictures are the files, in full and in order.
	for i, path := range []string{p.Samples, p.Real, p.Animation, p.Losses, p.Distribution} {
		images := regexp.MustCompile(`src="data:image/(?:png|gif);base64,([^"]*)" width="\d+" height="\d+"`).FindAllStringSubmatch(text, -1)
		if len(images) != 5 {
			t.Fatalf("%d pictures", len(images))
		}
		content, err := base64.StdEncoding.DecodeString(images[i][1])
		if err != nil || string(content) != contents(t, path) {
			t.Errorf("picture %d is not %s: %v", i, path, err)
		}
	}

	// Nothing runs, and nothing is fetched.
	for _, foreign := range []string{"<script", "<link", "<iframe", "@import", "url(", "http:", "https:"} {
		if strings.Contains(text, foreign) {
			t.Errorf("the page holds %q", foreign)
		}
	}

	// Every element is closed.
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict, d.AutoClose, d.Entity = false, []string{"meta", "img"}, xml.HTMLEntity
	depth := 0
	for token, err := d.Token(); token != nil; token, err = d.Token() {
		if err != nil {
			t.Fatal(err)
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	if depth != 0 {
		t.Errorf("%d elements are not closed", depth)
	}

	if diff := cmp.Diff(text, report(t, p)); diff != "" {
		t.Errorf("the same page became another file\n%s", diff)
	}
}

// TestReportOfLittle leaves out what there is not, headings too.
func TestReportOfLittle(t *testing.T) {
	text := report(t, Page{Title: "little"})
	for _, heading := range []string{"<h2", "<h3", "<img", "<table", "<dl", "<pre"} {
		if strings.Contains(text, heading) {
			t.Errorf("an empty page holds %s", heading)
		}
	}
}

func TestReportRefuses(t *testing.T) {
	folder := t.TempDir()
	text := table(t, "step,a\n")
	large := filepath.Join(folder, "large.png")
	if err := os.WriteFile(large, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxPicture+1); err != nil {
		t.Fatal(err)
	}
	for want, page := range map[string]Page{
		"no such file": {Samples: filepath.Join(folder, "no.png")},
		"not a file":   {Losses: folder},
		text:           {Animation: text},
		large:          {Real: large},
	} {
		path := filepath.Join(folder, "report.html")
		err := Report(path, page)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want %q and the page's path", err, want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("a page was written")
		}
	}
}

// programs returns the code of a page: a command, a Go program, a Python one.
func programs(t *testing.T, p Page) []string {
	t.Helper()
	var found []string
	for _, m := range regexp.MustCompile(`(?s)<pre>(.*?)</pre>`).FindAllStringSubmatch(report(t, p), -1) {
		found = append(found, html.UnescapeString(m[1])+"\n")
	}
	if len(found) != 3 {
		t.Fatalf("%d pieces of code", len(found))
	}
	return found
}

// TestReportPrograms compiles the Go program of a page and runs the Python one.
func TestReportPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: compiles a program; -short")
	}
	model, err := filepath.Abs(filepath.Join("..", "..", "runtime", "testdata", "generator.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	p := Page{Generator: Generator{File: model, Latent: 4, Output: "image", Shape: "1, 2, 2"}}
	save := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(want string, args ...string) {
		t.Helper()
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s: %v: %s", args, err, out)
		}
	}
	labelled := p
	labelled.Generator.Classes, labelled.Generator.Uniform = 10, true

	for _, p := range []Page{p, labelled} {
		program := save("main.go", programs(t, p)[1])
		run("", "go", "vet", program)
		run("", "gofmt", "-l", program)
	}
	if exec.Command("python3", "-c", "import numpy, onnxruntime").Run() != nil {
		t.Skip("skipped: no python3 with numpy and onnxruntime")
	}
	run("(64, 1, 2, 2)", "python3", save("load.py", programs(t, p)[2]))
	run("", "python3", "-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())", save("load.py", programs(t, labelled)[2]))
}
