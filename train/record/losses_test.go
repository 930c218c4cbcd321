package record

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var names = []string{"d_loss", "g_loss"}

// table writes a file with this text and returns its path.
func table(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "losses.csv")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func appendAll(t *testing.T, l *Losses, rows ...[3]float64) {
	t.Helper()
	for _, r := range rows {
		if err := l.Append(int(r[0]), r[1], r[2]); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLosses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "losses.csv")
	l, err := Create(path, names)
	if err != nil {
		t.Fatal(err)
	}
	third := float64(float32(1) / 3)
	tiny := float64(math.SmallestNonzeroFloat32)
	appendAll(t, l, [3]float64{1, third, 0.5}, [3]float64{2, math.NaN(), math.Inf(1)})
	if l, err = Open(path); err != nil {
		t.Fatal(err)
	}
	appendAll(t, l, [3]float64{5, tiny, -math.MaxFloat32})

	if diff := cmp.Diff("step,d_loss,g_loss\n1,0.33333334,0.5\n2,NaN,+Inf\n5,1e-45,-3.4028235e+38\n", contents(t, path)); diff != "" {
		t.Errorf("file (-want +got)\n%s", diff)
	}
	got, err := ReadLosses(path)
	if err != nil {
		t.Fatal(err)
	}
	want := Table{
		Columns: names,
		Steps:   []int{1, 2, 5},
		Values:  [][]float64{{third, math.NaN(), tiny}, {0.5, math.Inf(1), -math.MaxFloat32}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("read back (-want +got)\n%s", diff)
	}
}

// TestFloat32ReadsBackExactly goes through float32 values of every size.
func TestFloat32ReadsBackExactly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "losses.csv")
	l, err := Create(path, names[:1])
	if err != nil {
		t.Fatal(err)
	}
	var want []uint32
	for bits := uint32(1); bits < 0x7f800000; bits += 0x12345 { // up to infinity
		if err := l.Append(len(want), float64(math.Float32frombits(bits))); err != nil {
			t.Fatal(err)
		}
		want = append(want, bits)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := ReadLosses(path)
	if err != nil {
		t.Fatal(err)
	}
	var bits []uint32
	for _, v := range got.Values[0] {
		bits = append(bits, math.Float32bits(float32(v)))
	}
	if diff := cmp.Diff(want, bits); diff != "" {
		t.Errorf("bits (-want +got)\n%s", diff)
	}
}

func TestTruncate(t *testing.T) {
	const head, rows = "step,d_loss,g_loss\n", "1,1,1\n2,2,2\n4,4,4\n"
	tests := []struct {
		name, text string
		after      int
		want       string
	}{
		{"all stay", head + rows, 4, head + rows},
		{"step beyond", head + rows, 100, head + rows},
		{"last goes", head + rows, 3, head + "1,1,1\n2,2,2\n"},
		{"all go", head + rows, 0, head},
		{"torn line", head + rows + "5,0.2", 100, head + rows},
		{"torn line that looks whole", head + "1,1,1\n2,2,2", 100, head + "1,1,1\n"},
		{"torn to zeros", head + rows + "\x00\x00\x00", 2, head + "1,1,1\n2,2,2\n"},
		{"no rows", head, 7, head},
		{"only a torn line", head + "1,", 7, head},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := table(t, test.text)
			if err := Truncate(path, test.after); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, contents(t, path)); diff != "" {
				t.Fatalf("(-want +got)\n%s", diff)
			}
			l, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			appendAll(t, l, [3]float64{200, 8, 9})
			if diff := cmp.Diff(test.want+"200,8,9\n", contents(t, path)); diff != "" {
				t.Errorf("after going on (-want +got)\n%s", diff)
			}
		})
	}
}

func TestReadLossesLeavesTornLineOut(t *testing.T) {
	got, err := ReadLosses(table(t, "step,a\n1,2\n2,3"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Table{Columns: []string{"a"}, Steps: []int{1}, Values: [][]float64{{2}}}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTableRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "column names is missing or torn"},
		{"torn names", "step,d_lo", "column names is missing or torn"},
		{"another table", "epoch,loss\n1,2\n", `begins with "epoch", expected "step"`},
		{"binary", "\x89PNG\r\n\x1a\n\x00", "not a table of losses"},
		{"missing field", "step,a\n1,2\n2\n", "line 3: 1 fields, expected 2"},
		{"field too many", "step,a\n1,2,3\n", "line 2: 3 fields, expected 2"},
		{"empty line", "step,a\n\n", "line 2: 1 fields"},
		{"step", "step,a\n1.5,2\n", `line 2: step "1.5" is not a whole number`},
		{"value", "step,a\n1,x\n", `line 2: value "x" is not a number`},
		{"too large", "step,a\n1,1e99\n", `line 2: value "1e99"`},
		{"backwards", "step,a\n2,1\n1,1\n", "line 3: step 1 does not come after step 2"},
		{"twice", "step,a\n2,1\n2,1\n", "line 3: step 2 does not come after step 2"},
		{"long line", "step,a\n" + strings.Repeat("1", 1<<17), "line 2 is longer than 65536 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := table(t, test.text)
			_, reading := ReadLosses(path)
			_, opening := Open(path)
			for _, err := range []error{reading, opening, Truncate(path, 1)} {
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "record: "+path) {
					t.Errorf("error %v, want the path and %q", err, test.want)
				}
			}
			if contents(t, path) != test.text {
				t.Error("the file was changed")
			}
		})
	}
	if _, err := Open(table(t, "step,a\n1,2\n2,")); err == nil || !strings.Contains(err.Error(), "the last line is torn") {
		t.Errorf("Open of a torn table: %v", err)
	}
}

func TestLossesRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "losses.csv")
	for _, columns := range [][]string{{""}, {"a,b"}, {"a", "a"}, {"step"}, {"a\n"}} {
		if _, err := Create(path, columns); err == nil || !strings.Contains(err.Error(), "column name") {
			t.Errorf("Create with columns %q: error %v", columns, err)
		}
	}
	l, err := Create(path, names)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := Create(path, names); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("Create over a file: error %v", err)
	}
	if err := l.Append(3, 1, 2); err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{
		"step 4 has 1 values for 2 columns":  l.Append(4, 1),
		"step 3 does not come after step 3":  l.Append(3, 1, 2),
		"step -1 does not come after step 3": l.Append(-1, 1, 2),
		"step 5 has 3 values for 2 columns":  l.Append(5, 1, 2, 3),
		"step 2 does not come after step 3":  l.Append(2, 1, 2),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
