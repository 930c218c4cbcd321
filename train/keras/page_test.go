package keras

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// A page has what was found of each file, is well-formed, and needs no other
// file.
func TestPage(t *testing.T) {
	const file = "tf/models/michelucci-dcgan/G.onnx"
	m := load(t, file)
	against, expect := usual, usual
	against.Against = saved(t, file)
	expect.Expect = filepath.Dir("testdata/" + file)
	m2 := proto.Clone(m).(*onnxpb.ModelProto)
	change(t, m2, "dense_1/Cast", func(c *constant) *constant { return c.reversed(0) })
	m3 := proto.Clone(m).(*onnxpb.ModelProto)
	drop(m3, nth(t, m3, "Tanh", 0))
	path := filepath.Join(t.TempDir(), "crosscheck.html")
	err := WritePage(path, checkModel(t, m, file, expect), checkModel(t, m2, "<other>.onnx", against), checkModel(t, m3, "third.onnx", usual))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, want := range []string{
		"generator of michelucci-dcgan", "1/16 of its width", "all hold", "G.out.out.npy", "G.weights.npz", "batch_normalization_1_2",
		"&lt;other&gt;.onnx", `<tr class="away"><td>generator/dense1/weight</td>`, "ours.safetensors",
		"Not recognised", "<li>dense_1: dense of 784 units</li>", "generator/tanh1",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, foreign := range []string{"http", "src=", "<script", "<link", "ZgotmplZ", "<no value>"} {
		if strings.Contains(page, foreign) {
			t.Errorf("the page has %q", foreign)
		}
	}
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
