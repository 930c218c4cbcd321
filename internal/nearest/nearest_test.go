package nearest

import "testing"

func TestHint(t *testing.T) {
	known := []string{"guo-mlp", "michelucci-dcgan"}
	for given, want := range map[string]string{
		"guo-mpl":          ": did you mean guo-mlp?",
		"michelucci-dcgn":  ": did you mean michelucci-dcgan?",
		"michelucci_dcgan": ": did you mean michelucci-dcgan?",
		"style":            "",
		"":                 "",
	} {
		if got := Hint(given, known); got != want {
			t.Errorf("Hint(%q) = %q, want %q", given, got, want)
		}
	}
}
