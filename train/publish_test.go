package train

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/record"
)

// What is said of a published generator is said of its weights: no label that the
// discriminator alone takes, no loss of a later step, no step that was not trained,
// no samples where none are drawn yet.
func TestPublishedFacts(t *testing.T) {
	r := newTinyRun(t, tiny(conditional, func(g *arch.GAN) {
		g.Generator = tiny().Generator
		g.Grid.Every = 100
	}))
	if err := interrupt(t, r, 2); err == nil {
		t.Fatal("not interrupted")
	}
	p, err := r.Model().published(r.Folder, r.report)
	if err != nil {
		t.Fatal(err)
	}
	if p.Classes != 0 || p.Samples != "" {
		t.Errorf("%d classes, samples %q, want neither", p.Classes, p.Samples)
	}
	for _, fact := range p.Asked {
		if fact.Name == "steps" && fact.Value != "2" {
			t.Errorf("%s steps, want 2", fact.Value)
		}
	}
	table, err := os.ReadFile(r.Path("losses.csv"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, r.Path("losses.csv"), string(table)+"3,9,9,9,9,9,9,9\n") // of a run that diverged
	after, err := r.Model().published(r.Folder, r.report)
	if err != nil {
		t.Fatal(err)
	}
	want := append([]record.Fact{{Name: "means of the last", Value: "2 steps"}}, p.Results[1:]...)
	if diff := cmp.Diff(want, after.Results); diff != "" || len(want) != 1+len(tinyColumns) {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	write(t, r.Path(samplesName(1)), "newest")
	write(t, r.Path(samplesName(3)), "later")
	after, err = r.Model().published(r.Folder, r.report)
	if want := r.Path(samplesName(1)); err != nil || after.Samples != want {
		t.Errorf("samples %q, error %v, want %q", after.Samples, err, want)
	}
}
