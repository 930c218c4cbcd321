// Package memory tells how much memory a program can still take. Linux only;
// elsewhere it is not known.
package memory

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// Available is the number of bytes that this process can still take before the
// machine (swap included), a control group that it is in, or its own limit of
// address space ends it. known is false where nothing tells.
func Available() (free int64, known bool) { return available(os.DirFS("/")) }

func available(root fs.FS) (int64, bool) {
	var limits []int64
	machine := fields(root, "proc/meminfo")
	if free, ok := machine["MemAvailable:"]; ok {
		limits = append(limits, (free+machine["SwapFree:"])<<10) // both in KiB
	}
	limits = append(limits, groups(root)...)
	if free, ok := addressSpace(root); ok {
		limits = append(limits, free)
	}
	if len(limits) == 0 {
		return 0, false
	}
	least := limits[0]
	for _, l := range limits {
		least = min(least, l)
	}
	return max(least, 0), true
}

// fields reads lines of a name and a number.
func fields(root fs.FS, name string) map[string]int64 {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return nil
	}
	found := map[string]int64{}
	for line := range bytes.Lines(data) {
		words := strings.Fields(string(line))
		if len(words) < 2 {
			continue
		}
		if n, err := strconv.ParseInt(words[1], 10, 64); err == nil {
			found[words[0]] = n
		}
	}
	return found
}

// groups gives what is left in each control group of the process, of version 1
// or 2, and in those around it.
func groups(root fs.FS) []int64 {
	data, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	var left []int64
	for line := range strings.Lines(string(data)) {
		// hierarchy:controllers:path
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		folder, limit, usage, cache := "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
		switch parts[1] {
		case "":
		case "memory":
			folder, limit, usage, cache = "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
		default:
			continue
		}
		// In a container the path may be that of the host, which is not to be
		// seen: the folder itself is then the container's own.
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			at := path.Join(folder, group)
			most, ok := number(root, path.Join(at, limit))
			used, ok2 := number(root, path.Join(at, usage))
			if ok && ok2 { // a group without a limit says "max"
				// Files that were read are given up when memory is short.
				left = append(left, most-used+fields(root, path.Join(at, "memory.stat"))[cache])
			}
			if group == "/" {
				break
			}
		}
	}
	return left
}

func number(root fs.FS, name string) (int64, bool) {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil
}

// addressSpace is what is left of the limit that "ulimit -v" sets.
func addressSpace(root fs.FS) (int64, bool) {
	data, err := fs.ReadFile(root, "proc/self/limits")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		rest, ok := strings.CutPrefix(line, "Max address space")
		if words := strings.Fields(rest); ok && len(words) > 0 {
			limit, err := strconv.ParseInt(words[0], 10, 64) // or "unlimited"
			used, ok := fields(root, "proc/self/status")["VmSize:"]
			return limit - used<<10, err == nil && ok
		}
	}
	return 0, false
}

// Format writes a number of bytes as people do.
func Format(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
