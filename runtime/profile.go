package runtime

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gantrain/gantrain/internal/safefile"
)

// Profile says what each node of a model took, and what computed it. ONNX
// Runtime's nodes are not quite those of the file: it joins and removes some.
type Profile []NodeProfile

// NodeProfile is what is known of one node.
type NodeProfile struct {
	Name, Op        string
	Provider        Provider      // as ONNX Runtime has it where it isn't one of ours
	Inputs, Outputs [][]int       // shapes in the last run; those of optional inputs left out are missing
	Time            time.Duration // median of its runs
}

// OperatorProfile sums up the nodes of one operator on one provider.
type OperatorProfile struct {
	Op       string
	Provider Provider
	Nodes    int
	Time     time.Duration // of all of them in one run
}

// maxProfile bounds what is read of a profile: 300 runs of a step of a thousand
// nodes make about as much.
const maxProfile = 512 << 20

// ReadProfile reads what sessions with [Options.Profile] left in a folder. They
// write when they are closed.
func ReadProfile(folder string) (Profile, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("runtime: profile: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("runtime: %s holds no profile: is the session closed?", folder)
	}
	var all Profile
	for _, path := range files {
		p, err := readProfileFile(path)
		if err != nil {
			return nil, fmt.Errorf("runtime: %s: %w", path, err)
		}
		all = append(all, p...)
	}
	return all, nil
}

func readProfileFile(path string) (Profile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, safefile.Reason(err)
	}
	defer f.Close()
	return parseProfile(io.LimitReader(f, maxProfile))
}

// event is one entry of ONNX Runtime's profile, a list in Chrome's trace format.
type event struct {
	Category string `json:"cat"`
	Name     string
	Micros   int64 `json:"dur"`
	Args     struct {
		Node     string             `json:"node_index"`
		Op       string             `json:"op_name"`
		Provider string             `json:"provider"`
		Inputs   []map[string][]int `json:"input_type_shape"` // by element type
		Outputs  []map[string][]int `json:"output_type_shape"`
	}
}

// kernelTime ends the name of the event that a node's computation is.
const kernelTime = "_kernel_time"

// parseProfile reads one profile, event by event.
func parseProfile(r io.Reader) (Profile, error) {
	var p Profile
	var times [][]int64 // in us, of each node
	known := map[string]int{}
	events := json.NewDecoder(r)
	if first, err := events.Token(); err != nil || first != json.Delim('[') {
		return nil, errors.New("not a profile of ONNX Runtime: expected a list of events")
	}
	for events.More() {
		var e event
		if err := events.Decode(&e); err != nil {
			return nil, fmt.Errorf("a profile that is damaged or longer than %d bytes: %w", maxProfile, err)
		}
		name, isNode := strings.CutSuffix(e.Name, kernelTime)
		if e.Category != "Node" || !isNode {
			continue
		}
		key := e.Args.Node + " " + e.Args.Op + " " + name // an index counts within a graph only
		i, ok := known[key]
		if !ok {
			i = len(p)
			known[key] = i
			p, times = append(p, NodeProfile{}), append(times, nil)
		}
		p[i] = NodeProfile{
			Name: name, Op: e.Args.Op, Provider: providerNamed(e.Args.Provider),
			Inputs: shapesOf(e.Args.Inputs), Outputs: shapesOf(e.Args.Outputs),
		}
		times[i] = append(times[i], e.Micros)
	}
	if _, err := events.Token(); err != nil {
		return nil, fmt.Errorf("a profile that is cut short or longer than %d bytes: %w", maxProfile, err)
	}
	for i, t := range times {
		slices.Sort(t)
		p[i].Time = time.Duration(t[len(t)/2]) * time.Microsecond // the first run allocates and takes longer
	}
	return p, nil
}

// providerNamed turns "CPUExecutionProvider" into CPU.
func providerNamed(s string) Provider {
	switch s {
	case "CPUExecutionProvider":
		return CPU
	case "CUDAExecutionProvider":
		return CUDA
	}
	return Provider(s)
}

func shapesOf(typed []map[string][]int) [][]int {
	var shapes [][]int
	for _, t := range typed {
		for _, shape := range t { // there is one
			shapes = append(shapes, shape)
		}
	}
	return shapes
}

// Operators sums up the nodes by operator and provider, the slowest first.
func (p Profile) Operators() []OperatorProfile {
	var sums []OperatorProfile
	for _, n := range p {
		i := slices.IndexFunc(sums, func(s OperatorProfile) bool { return s.Op == n.Op && s.Provider == n.Provider })
		if i < 0 {
			i = len(sums)
			sums = append(sums, OperatorProfile{Op: n.Op, Provider: n.Provider})
		}
		sums[i].Nodes++
		sums[i].Time += n.Time
	}
	slices.SortFunc(sums, func(a, b OperatorProfile) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Provider, b.Provider))
	})
	return sums
}

// Fallback counts, by operator, the nodes that a provider other than the CPU
// left to the CPU. ONNX Runtime keeps some there on purpose, such as those that
// compute shapes.
func (p Profile) Fallback(provider Provider) map[string]int {
	left := map[string]int{}
	for _, n := range p {
		if provider != CPU && n.Provider == CPU {
			left[n.Op]++
		}
	}
	return left
}
