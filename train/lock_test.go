package train

import (
	"strings"
	"testing"
)

// TestOneWriter: a run that is open is not opened, nor replaced, a second time.
func TestOneWriter(t *testing.T) {
	r := newTinyRun(t, tiny())
	const want = "is being written by another process"
	if _, err := OpenRun(t.Context(), r.Folder, r.trainer.data, "", Options{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("opened twice: error %v", err)
	}
	if _, _, err := SetAside(r.Folder); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("replaced: error %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenRun(t.Context(), r.Folder, r.trainer.data, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
