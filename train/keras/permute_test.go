package keras

import (
	"slices"
	"testing"

	"github.com/gantrain/gantrain/train/arch"
)

func TestLayouts(t *testing.T) {
	// A picture of 2 channels, 2 rows and 3 columns: number 100c + 10h + w.
	byPixel := []float64{0, 100, 1, 101, 2, 102, 10, 110, 11, 111, 12, 112}
	byChannel := []float64{0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112}
	picture := arch.Shape{2, 2, 3}
	if got := features(12, picture).ours(byPixel); !slices.Equal(got, byChannel) {
		t.Errorf("a flat picture: %v", got)
	}
	if got := plain(1).and(features(12, picture)).ours(byPixel); !slices.Equal(got, byChannel) {
		t.Errorf("a batch of pictures: %v", got)
	}
	// Two rows of a kernel [in, out] whose rows are a picture of 2 channels and 3 columns.
	got := features(6, arch.Shape{2, 1, 3}).and(plain(2)).ours([]float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	if want := []float64{0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11}; !slices.Equal(got, want) {
		t.Errorf("a kernel behind a picture: %v, want %v", got, want)
	}
	// [height, width, in, out] of 1, 2, 2, 1 to [out, in, height, width].
	if got := kernelLayout(arch.Shape{1, 2, 1, 2}).ours([]float64{0, 1, 2, 3}); !slices.Equal(got, []float64{0, 2, 1, 3}) {
		t.Errorf("a convolution's kernel: %v", got)
	}
}

// Keras' names of the conditional GAN's layers, and the tensors that nothing
// determines, as recordings of Keras have them.
func TestParamNames(t *testing.T) {
	all := func(gan string) (names, undetermined []string) {
		g, err := arch.Find(gan, "")
		if err != nil {
			t.Fatal(err)
		}
		params, err := allParams(g)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range params {
			names = append(names, p.ours+" "+p.keras)
			if p.undetermined {
				undetermined = append(undetermined, p.keras)
			}
		}
		return names, undetermined
	}
	names, none := all("michelucci-cgan")
	for _, want := range []string{
		"generator/dense1/weight G.dense_1.kernel", "generator/condition1/embedding1/weight G.embedding.embeddings",
		"generator/condition1/dense1/bias G.dense.bias", "generator/deconv2/weight G.conv2d_transpose_1.kernel",
		"discriminator/condition1/dense1/weight D.dense.kernel", "discriminator/dense1/bias D.dense_1.bias",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("michelucci-cgan lacks %q: %q", want, names)
		}
	}
	if none != nil {
		t.Errorf("michelucci-cgan: %q are undetermined", none)
	}
	_, got := all("silva-dcgan")
	want := []string{
		"G.conv2d_transpose.bias", "G.batch_normalization_1.moving_mean",
		"G.conv2d_transpose_1.bias", "G.batch_normalization_2.moving_mean",
		"D.conv2d_1.bias", "D.batch_normalization.moving_mean",
		"D.conv2d_2.bias", "D.batch_normalization_1.moving_mean",
	}
	if !slices.Equal(got, want) {
		t.Errorf("silva-dcgan: %q are undetermined, want %q", got, want)
	}
}
