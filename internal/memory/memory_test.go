package memory

import (
	"testing"
	"testing/fstest"
)

const gib = 1 << 30

// tree is a file system with these files.
func tree(files map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for name, text := range files {
		fs[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fs
}

// The smallest limit holds.
func TestAvailable(t *testing.T) {
	const meminfo = "MemTotal: 33554432 kB\nMemFree: 1024 kB\nMemAvailable:   20971520 kB\nSwapFree:  4194304 kB\n" // 20 and 4 GiB
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"the machine with its swap", map[string]string{"proc/meminfo": meminfo}, 24 * gib},
		{"no limits", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/user\n", "sys/fs/cgroup/user/memory.max": "max\n", "sys/fs/cgroup/user/memory.current": "5\n",
			"proc/self/limits": "Max address space         unlimited            unlimited            bytes\n", "proc/self/status": "VmSize:  1048576 kB\n",
		}, 24 * gib},
		{"a group around the process' own", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/user/run\n",
			"sys/fs/cgroup/user/memory.max": "4294967296\n", "sys/fs/cgroup/user/memory.current": "3221225472\n",
			"sys/fs/cgroup/user/memory.stat":    "anon 5\ninactive_file 1073741824\n",
			"sys/fs/cgroup/user/run/memory.max": "max\n", "sys/fs/cgroup/user/run/memory.current": "1\n",
		}, 2 * gib},
		{"version 1, its path that of the host", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu:/docker/abc\n4:memory:/docker/abc\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "3221225472\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "1073741824\n",
		}, 2 * gib},
		{"a group that is full", map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "100\n", "sys/fs/cgroup/memory.current": "200\n",
		}, 0},
		{"ulimit -v", map[string]string{
			"proc/meminfo": meminfo, "proc/self/limits": "Limit  Soft Limit\nMax address space         4294967296           unlimited            bytes\n",
			"proc/self/status": "Name:\tgantrain\nVmSize:\t 1048576 kB\n",
		}, 3 * gib},
	} {
		if got, known := available(tree(c.files)); got != c.want || !known {
			t.Errorf("%s: %d bytes, known: %v; want %d", c.name, got, known, c.want)
		}
	}
}

func TestNotKnown(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"another system": nil,
		"other files":    {"proc/meminfo": "what\nMemAvailable: many kB\n", "proc/self/cgroup": "x\n", "proc/self/limits": "Max address space", "proc/self/status": ""},
	} {
		if got, known := available(tree(files)); known {
			t.Errorf("%s: %d bytes, want not known", name, got)
		}
	}
}

func TestFormat(t *testing.T) {
	for n, want := range map[int64]string{0: "0 MiB", 957 << 20: "957 MiB", gib: "1.0 GiB", 16320875724: "15.2 GiB"} {
		if got := Format(n); got != want {
			t.Errorf("%d bytes are %s, want %s", n, got, want)
		}
	}
	if free, known := Available(); known {
		t.Log("here: " + Format(free))
	}
}
