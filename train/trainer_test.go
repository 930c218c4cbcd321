package train

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
)

func TestSmoke(t *testing.T) {
	for _, name := range []string{"guo-mlp", "michelucci-dcgan"} {
		gan, err := arch.Find(name, "")
		if err != nil {
			t.Fatal(err)
		}
		data, err := dataset.MNIST(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if name != "guo-mlp" {
			gan.Recipe.Batch = 64
		}
		state, err := NewState(gan, 1)
		if err != nil {
			t.Fatal(err)
		}
		m := &Model{GAN: gan, State: state, Seed: 1}
		tr, err := NewTrainer(m, data)
		if err != nil {
			t.Fatal(err)
		}
		for range 6 {
			start := time.Now()
			l, err := tr.Step()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println(name, l, time.Since(start))
		}
	}
}
