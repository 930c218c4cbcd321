package bench

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// errNoProc: elsewhere it takes a system call of its own for each system.
var errNoProc = errors.New("only Linux's /proc is read")

// peakMB is the most memory that the process has held so far.
func peakMB() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, errNoProc
	}
	return parsePeak(string(status))
}

// parsePeak reads "VmHWM:   12345 kB", which counts 1024 bytes.
func parsePeak(status string) (float64, error) {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kB / 1024, err
		}
	}
	return 0, errors.New("/proc/self/status has no VmHWM")
}

// processAge is the time since the process was started, in seconds, to 10 ms.
func processAge() (float64, error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, errNoProc
	}
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, errNoProc
	}
	return parseAge(string(stat), string(uptime))
}

// parseAge subtracts the process' start, the 22nd field of its stat in hundredths
// of a second, from the system's age. The second field, a name in brackets, may
// hold anything.
func parseAge(stat, uptime string) (float64, error) {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:]) // from the third
	now := strings.Fields(uptime)
	if len(fields) < 20 || len(now) == 0 {
		return 0, errors.New("/proc/self/stat or /proc/uptime is not as expected")
	}
	start, err := strconv.ParseFloat(fields[19], 64)
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.ParseFloat(now[0], 64)
	if err != nil {
		return 0, err
	}
	if age := seconds - start/100; age >= 0 {
		return age, nil
	}
	return 0, fmt.Errorf("the process starts after now by /proc: %s and %s", fields[19], now[0])
}
