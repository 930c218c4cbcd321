package dataset

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCSV(t *testing.T) {
	for name, content := range map[string]string{
		"plain":       "1,2\n-3.5,4e2\n",
		"heading":     "x,y\n1,2\n-3.5,4e2\n",
		"no last end": "1,2\n-3.5,4e2",
		"windows":     "\ufeff\"x\",\"y\"\r\n1, 2 \r\n\r\n-3.5,400\r\n",
		"mark":        "\ufeff1,2\n-3.5,400\n",
	} {
		path := filepath.Join(t.TempDir(), "mine.csv")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := CSV(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(&Points{Name: "mine", X: []float32{1, 2, -3.5, 400}}, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestCSVRefuses(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"empty", "", "no points: two columns of numbers are expected"},
		{"heading only", "x,y\n", "no points"},
		{"half a heading", "x,2\n", `line 1: "x" is no finite number`},
		{"two headings", "x,y\na,b\n", `line 2: "a" is no finite number`},
		{"one column", "1\n", "line 1: 1 columns, expected 2 separated by a comma"},
		{"three columns", "x,y\n1,2\n1,2,3\n", "line 3: 3 columns, expected 2"},
		{"semicolons", "1;2\n", "line 1: 1 columns"},
		{"nan", "1,2\n1,nan\n", `line 2: "nan" is no finite number`},
		{"nan first", "nan,nan\n1,2\n", `line 1: "nan" is no finite number`},
		{"large first", "1e99,1e999\n1,2\n", `line 1: "1e99" is no finite number`},
		{"infinity", "1,2\n-inf,1\n", `line 2: "-inf" is no finite number`},
		{"large", "1,2\n1e39,1\n", `line 2: "1e39" is no finite number`},
		{"missing", "1,2\n1,\n", `line 2: "" is no finite number`},
		{"long", "1,2\n1," + strings.Repeat("a", 1000), `line 2: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" is`},
		{"quote", "1,2\n\"1,2\n", "line 2: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := decodeCSV(strings.NewReader(test.content))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, test.want)
			}
		})
	}
	for path, want := range map[string]string{t.TempDir(): "expected a file, found a folder", "missing.csv": "no such file"} {
		if _, err := CSV(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that names %s and says %q", err, path, want)
		}
	}
}

// FuzzCSV looks for a panic, for half points and numbers that aren't finite, and for
// memory that the file does not account for.
func FuzzCSV(f *testing.F) {
	for _, content := range []string{"", "1,2\n", "x,y\n1,2\n", "\"1\",2\r\n", "\ufeffx,y\n1,inf", "1;2"} {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		before := allocated()
		points, err := decodeCSV(bytes.NewReader(content))
		atMost(t, before, 64, content) // fields of one byte are strings; points grow
		if err != nil {
			return
		}
		if len(points) == 0 || len(points)%2 != 0 || len(points) > len(content) {
			t.Errorf("%d numbers from %d bytes", len(points), len(content))
		}
		for _, v := range points {
			if v != v || math.Abs(float64(v)) > math.MaxFloat32 {
				t.Errorf("%v is not finite", v)
			}
		}
	})
}
