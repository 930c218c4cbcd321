package ort

import (
	"path/filepath"
	"runtime"
)

// fewer is how many processors the program may use where the machine has more,
// and 0 where it may use all. Go knows of CPU quotas of containers, of affinity and
// of GOMAXPROCS; ONNX Runtime doesn't: of itself it would start a thread for each
// physical core of the machine, and let them wait for each other on fewer.
func fewer() int {
	cores, _ := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*") // none outside Linux
	if allowed := runtime.GOMAXPROCS(0); allowed < max(len(cores), runtime.NumCPU()) {
		return allowed
	}
	return 0
}
