package bench

import (
	"math"
	"testing"
)

func TestParsePeak(t *testing.T) {
	got, err := parsePeak("VmPeak:\t  999999 kB\nVmHWM:\t  204800 kB\nVmRSS:\t  1024 kB\n")
	if err != nil || got != 200 {
		t.Errorf("got %v, %v, want 200 MB", got, err)
	}
	for _, bad := range []string{"", "VmRSS:\t 1 kB\n", "VmHWM:\t many kB\n"} {
		if _, err := parsePeak(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestParseAge(t *testing.T) {
	const stat = "77 (a) b (c) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 95947 3133440 360"
	got, err := parseAge(stat, "960.00 1624.32\n")
	if err != nil || math.Abs(got-0.53) > 1e-9 {
		t.Errorf("got %v, %v, want 0.53 s", got, err)
	}
	for _, bad := range [][2]string{{stat, ""}, {stat, "x"}, {stat, "959.00"}, {"", "960"}, {"77 (a) R 1", "960"}} {
		if _, err := parseAge(bad[0], bad[1]); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
