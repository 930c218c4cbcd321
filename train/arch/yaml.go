package arch

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/gantrain/gantrain/internal/nearest"
)

// The YAML form of a GAN has the fields of this package's types, RealLabel as
// real_label, and is shorter where a file is written by hand:
//
//	a layer or an update is its kind or role, and behind it its settings
//	of layers, networks and latent, a value stands for the first field: "dense: 256"
//	what is not given is as in usual, and what follows from the rest is left out

// usual are the values of fields that a file does not give. Recipe and grid are
// those of Radford, Metz and Chintala 2015 where it has them; settings of layers
// are Keras' defaults. Any other setting of a layer must be given.
var usual = []any{
	GAN{
		Latent: Latent{Size: 100, Distribution: "normal"},
		Recipe: Recipe{
			Batch: 128, Sampling: Shuffled, Updates: []Update{usualUpdate(Discriminator), usualUpdate(Generator)},
			Adam: map[Role]Adam{Discriminator: usualAdam, Generator: usualAdam},
		},
		Grid: Grid{Rows: 8, Columns: 8},
	},
	usualAdam,
	Dense{Init: Glorot}, Conv2D{Stride: 1, Init: Glorot}, ConvTranspose2D{Stride: 1, Init: Glorot},
	BatchNorm{Momentum: 0.99, Epsilon: 1e-3}, Embedding{Init: Uniform(0.05)},
}

var usualAdam = Adam{Rate: 2e-4, Beta1: 0.5, Beta2: 0.999, Epsilon: 1e-7}

const usualEpochs = 20

func usualUpdate(trains Role) Update {
	if trains == Generator {
		return Update{Trains: trains, FakeLabel: 1}
	}
	return Update{Trains: trains, RealLabel: 1}
}

func usualOf(t reflect.Type) reflect.Value {
	for _, u := range usual {
		if reflect.TypeOf(u) == t {
			return reflect.ValueOf(u)
		}
	}
	return reflect.Zero(t)
}

// shortens tells types of which a single value stands for the first field.
func shortens(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[Layer]()) || t == reflect.TypeFor[Latent]() || t == reflect.TypeFor[Network]()
}

// scaled are the starts of weights, and whether they have a scale.
var scaled = map[string]bool{"glorot": false, "zeros": false, "ones": false, "normal": true, "uniform": true}

const (
	maxYAML   = 1 << 18 // bytes of a file
	maxValues = 1 << 16 // of a file, those behind aliases counted at each
)

// goodName is a GAN's name: it becomes a folder's.
var goodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// ReadYAML reads a GAN of one's own. An error names the file, the line and the
// reason. The name is that of the file where it holds none.
func ReadYAML(path string) (GAN, error) {
	info, err := os.Stat(path)
	if err != nil {
		return GAN{}, fmt.Errorf("arch: %w", err)
	}
	if !info.Mode().IsRegular() {
		return GAN{}, fmt.Errorf("arch: %s: is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return GAN{}, fmt.Errorf("arch: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxYAML+1))
	if err != nil {
		return GAN{}, fmt.Errorf("arch: %w", err)
	}
	gan, err := parseYAML(text, strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	if err != nil {
		return GAN{}, fmt.Errorf("arch: %s: %w", path, err)
	}
	return gan, nil
}

func parseYAML(text []byte, name string) (GAN, error) {
	if len(text) > maxYAML {
		return GAN{}, fmt.Errorf("holds more than %d bytes, so it is no description of a GAN", maxYAML)
	}
	var document, second yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(text))
	if err := documents.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return GAN{}, syntaxError(text, err)
	}
	if len(document.Content) != 1 {
		return GAN{}, errors.New("is empty")
	}
	if err := documents.Decode(&second); err == nil {
		return GAN{}, fmt.Errorf("line %d: a second document, want one GAN", second.Line)
	} else if !errors.Is(err, io.EOF) {
		return GAN{}, syntaxError(text, err)
	}
	root := document.Content[0]
	gan := usualOf(reflect.TypeFor[GAN]()).Interface().(GAN)
	r := &gan.Recipe
	r.Updates, r.Adam = slices.Clone(r.Updates), maps.Clone(r.Adam) // the caller's to change
	if err := new(yamlReader).value(root, reflect.ValueOf(&gan).Elem()); err != nil {
		return GAN{}, err
	}
	for _, part := range []string{"image", "generator", "discriminator"} {
		if child(root, part) == nil {
			return GAN{}, fmt.Errorf("line %d: the %s is missing", root.Line, part)
		}
	}
	for _, f := range []struct{ part, name string }{{"recipe", "epochs"}, {"recipe", "steps"}, {"grid", "every"}, {"grid", "steps"}} {
		if n := child(child(root, f.part), f.name); n != nil && target(n).Value == "0" { // which stands for what is not given
			return GAN{}, fmt.Errorf("line %d: %s: 0, want at least 1", n.Line, f.name)
		}
	}
	switch lo, hi := child(root, "min"), child(root, "max"); {
	case (lo == nil) != (hi == nil):
		return GAN{}, fmt.Errorf("line %d: half of a value range: want min and max, or neither", cmp.Or(lo, hi).Line)
	case lo != nil && gan.Min == 0 && gan.Max == 0:
		return GAN{}, fmt.Errorf("line %d: value range [0, 0] is empty", lo.Line)
	}
	gan.complete(name)
	if err := gan.Image.check(); err != nil {
		return GAN{}, fmt.Errorf("line %d: image: %w", line(root, "image"), err)
	}
	if err := gan.Generator.Input.check(); err != nil {
		return GAN{}, fmt.Errorf("line %d: latent: %w", line(root, "latent"), err)
	}
	if !goodName.MatchString(gan.Name) {
		whose := ""
		if child(root, "name") == nil {
			whose = ", which is the file's"
		}
		return GAN{}, fmt.Errorf("line %d: the name %.80q%s: want letters, digits, '-', '_' and '.', 64 at most", line(root, "name"), gan.Name, whose)
	}
	if err := gan.Check(); err != nil {
		return GAN{}, fmt.Errorf("line %d: %s", gan.faultyLine(root), strings.TrimPrefix(err.Error(), gan.Name+": "))
	}
	return gan, nil
}

var (
	parserProblem = regexp.MustCompile(`^line (\d+): (did not find expected (?:key|node content|['<]).*)`)
	unknownAnchor = regexp.MustCompile(`unknown anchor '(.*)'`)
)

// syntaxError is the library's, with the line that it means: its parser counts
// from 0, and leaves 0 out.
func syntaxError(text []byte, err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := parserProblem.FindStringSubmatch(message); m != nil {
		n, _ := strconv.Atoi(m[1]) // digits
		return fmt.Errorf("line %d: %s", min(n+1, bytes.Count(bytes.TrimSpace(text), []byte("\n"))+1), m[2])
	}
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		before, _, _ := bytes.Cut(text, []byte("*"+m[1]))
		return fmt.Errorf("line %d: %s", bytes.Count(before, []byte("\n"))+1, message)
	}
	if !strings.HasPrefix(message, "line ") {
		message = "line 1: " + message
	}
	return errors.New(message)
}

// complete fills in what follows from the rest.
func (g *GAN) complete(name string) {
	if g.Name == "" {
		g.Name = name
	}
	g.Generator.Input, g.Discriminator.Input = Shape{g.Latent.Size}, g.Image
	if g.Image.Picture() && g.Min == 0 && g.Max == 0 {
		g.Min, g.Max = -1, 1
	}
	if g.Recipe.Epochs == 0 && g.Recipe.Steps == 0 {
		g.Recipe.Epochs = usualEpochs
	}
	if g.Grid.Every == 0 && g.Grid.Steps == 0 {
		g.Grid.Every = 1
	}
}

// faultyLine is where the first thing stands that Check refuses.
func (g GAN) faultyLine(root *yaml.Node) int {
	for _, part := range []struct {
		name string
		net  Network
	}{{"generator", g.Generator}, {"discriminator", g.Discriminator}} {
		layers := part.net.Layers
		first := sort.Search(len(layers), func(i int) bool {
			_, err := Network{Input: part.net.Input, Layers: layers[:i+1]}.Rows()
			return err != nil
		})
		if node := child(root, part.name); first < len(layers) {
			if list := child(node, "layers"); list != nil {
				node = list
			}
			return target(node).Content[first].Line
		}
	}
	recipe := child(root, "recipe")
	for i, u := range g.Recipe.Updates {
		if list := target(child(recipe, "updates")); list != nil && u.check() != nil {
			return list.Content[i].Line
		}
	}
	for _, a := range g.Recipe.Adam {
		if a.check() != nil {
			return line(recipe, "adam")
		}
	}
	d := g.Discriminator.Layers
	switch {
	case !g.Generator.ends(g.Image):
		return line(root, "generator")
	case !g.Discriminator.ends(Shape{1}), g.Discriminator.Logit && d[len(d)-1] != Layer(Sigmoid{}):
		return line(root, "discriminator")
	case g.Grid.check(g.Image) != nil:
		return line(root, "grid")
	case g.Recipe.check() != nil:
		return line(root, "recipe")
	case g.checkRange() != nil:
		return line(root, "min")
	case g.checkClasses() != nil:
		return line(root, "classes")
	}
	return line(root, "latent")
}

func (n Network) ends(shape Shape) bool {
	rows, err := n.Rows()
	return err == nil && len(rows) > 0 && slices.Equal(rows[len(rows)-1].Output, shape)
}

// target is the node that an alias stands for, or the node itself.
func target(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// child is the value of a field, nil where there is none.
func child(n *yaml.Node, field string) *yaml.Node {
	_, value := member(n, field)
	return value
}

// line is that of a field, or of what it is missing in.
func line(n *yaml.Node, field string) int {
	if key, _ := member(n, field); key != nil {
		return key.Line
	}
	return n.Line
}

func member(n *yaml.Node, field string) (key, value *yaml.Node) {
	if n = target(n); n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == field {
				return n.Content[i], n.Content[i+1]
			}
		}
	}
	return nil, nil
}

// yamlReader reads nodes into the types of this package.
type yamlReader struct {
	values int
	open   []*yaml.Node // anchored nodes around the one being read
}

func (r *yamlReader) value(n *yaml.Node, v reflect.Value) error {
	if r.values++; r.values > maxValues {
		return fmt.Errorf("line %d: more than %d values", n.Line, maxValues)
	}
	if n.Kind == yaml.AliasNode {
		if slices.Contains(r.open, n.Alias) {
			return fmt.Errorf("line %d: *%s stands within what it stands for", n.Line, n.Value)
		}
		n = n.Alias
	}
	if n.Anchor != "" {
		r.open = append(r.open, n)
		defer func() { r.open = r.open[:len(r.open)-1] }()
	}
	switch p := v.Addr().Interface().(type) {
	case *Layer:
		return r.layer(n, p)
	case *Update:
		return r.update(n, p)
	case *Init:
		return r.init(n, p)
	case *map[Role]Adam:
		return r.adam(n, *p)
	}
	switch v.Kind() {
	case reflect.Struct:
		return r.fields(n, v)
	case reflect.Slice:
		return r.list(n, v)
	}
	return scalar(n, v)
}

// fields reads a mapping, or a value that stands for the first field.
func (r *yamlReader) fields(n *yaml.Node, v reflect.Value) error {
	names := fieldNames(v.Type())
	if n.Kind != yaml.MappingNode {
		switch {
		case len(names) == 0:
			return fmt.Errorf("line %d: %s, where there are no settings", n.Line, found(n))
		case !shortens(v.Type()):
			return fmt.Errorf("line %d: %s, want fields such as %s", n.Line, found(n), names[0])
		}
		return r.value(n, field(v, names[0]))
	}
	given := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case !slices.Contains(names, key.Value):
			return fmt.Errorf("line %d: unknown field %.80q%s", key.Line, key.Value, nearest.Hint(key.Value, names))
		case given[key.Value]:
			return fmt.Errorf("line %d: a second %s", key.Line, key.Value)
		}
		given[key.Value] = true
		if err := r.value(n.Content[i+1], field(v, key.Value)); err != nil {
			return err
		}
	}
	return nil
}

// fieldNames are those that a file may hold, in order.
func fieldNames(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		if f.Tag.Get("yaml") != "-" {
			names = append(names, snake(f.Name))
		}
	}
	return names
}

func field(v reflect.Value, name string) reflect.Value {
	return v.FieldByNameFunc(func(s string) bool { return snake(s) == name })
}

// snake makes real_label of RealLabel, and rate of Rate.
func snake(name string) string {
	var b strings.Builder
	lower := false
	for _, c := range name {
		if unicode.IsUpper(c) && lower {
			b.WriteByte('_')
		}
		lower = unicode.IsLower(c)
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

func (r *yamlReader) list(n *yaml.Node, v reflect.Value) error {
	if n.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: %s, want a list", n.Line, found(n))
	}
	v.SetZero()
	for _, item := range n.Content {
		element := reflect.New(v.Type().Elem()).Elem()
		if err := r.value(item, element); err != nil {
			return err
		}
		v.Set(reflect.Append(v, element))
	}
	return nil
}

// tagged reads "kind" or "kind: settings"; settings are nil where there are
// none.
func tagged(n *yaml.Node, what string) (kind string, settings *yaml.Node, err error) {
	switch {
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil, nil
	case n.Kind != yaml.MappingNode || len(n.Content) != 2:
		return "", nil, fmt.Errorf("line %d: %s, want %s", n.Line, found(n), what)
	}
	kind, settings = n.Content[0].Value, n.Content[1]
	if settings.ShortTag() == "!!null" {
		settings = nil
	}
	return kind, settings, nil
}

func (r *yamlReader) layer(n *yaml.Node, p *Layer) error {
	kind, settings, err := tagged(n, "one layer, as 'dense: 256'")
	if err != nil {
		return err
	}
	known := make([]string, len(kinds))
	for i, k := range kinds {
		known[i] = k.Kind()
	}
	i := slices.Index(known, kind)
	if i < 0 {
		return fmt.Errorf("line %d: unknown layer %.80q%s", n.Line, kind, nearest.Hint(kind, known))
	}
	t := reflect.TypeOf(kinds[i])
	v := reflect.New(t).Elem()
	v.Set(usualOf(t))
	if settings != nil {
		if err := r.value(settings, v); err != nil {
			return err
		}
	}
	if missing := missing(v, target(settings)); missing != "" {
		return fmt.Errorf("line %d: %s: its %s is missing", n.Line, kind, missing)
	}
	*p = v.Interface().(Layer)
	return nil
}

// missing names a setting of a layer that is not given and has no default.
func missing(layer reflect.Value, given *yaml.Node) string {
	for i, name := range fieldNames(layer.Type()) {
		f := field(layer, name)
		switch {
		case f.Kind() == reflect.Bool, !field(usualOf(layer.Type()), name).IsZero():
		case child(given, name) != nil, i == 0 && given != nil && given.Kind != yaml.MappingNode:
		default:
			return name
		}
	}
	return ""
}

var roles = []string{string(Discriminator), string(Generator)}

func (r *yamlReader) update(n *yaml.Node, p *Update) error {
	role, settings, err := tagged(n, "one update, as 'discriminator: {real_label: 0.9}'")
	if err != nil {
		return err
	}
	if !slices.Contains(roles, role) {
		return fmt.Errorf("line %d: an update of %.80q, want discriminator or generator%s", n.Line, role, nearest.Hint(role, roles))
	}
	*p = usualUpdate(Role(role))
	if settings == nil {
		return nil
	}
	settings = target(settings)
	if err := r.fields(settings, reflect.ValueOf(p).Elem()); err != nil {
		return err
	}
	if p.Minimax && child(settings, "fake_label") == nil {
		p.FakeLabel = 0
	}
	return nil
}

// init reads "glorot" or "{normal: 0.02}".
func (r *yamlReader) init(n *yaml.Node, p *Init) error {
	kind, scale, err := tagged(n, "a start of weights, as glorot or {normal: 0.02}")
	if err != nil {
		return err
	}
	*p = Init{Kind: kind}
	switch has, known := scaled[kind]; {
	case !known:
		return fmt.Errorf("line %d: weights that start as %.80q%s", n.Line, kind, nearest.Hint(kind, slices.Sorted(maps.Keys(scaled))))
	case has != (scale != nil):
		return fmt.Errorf("line %d: %s has a scale where it shouldn't, or none where it should: as glorot or {normal: 0.02}", n.Line, kind)
	case !has:
		return nil
	}
	if err := r.value(scale, reflect.ValueOf(&p.Scale).Elem()); err != nil {
		return err
	}
	if !(p.Scale > 0) {
		return fmt.Errorf("line %d: a scale of %g is not above 0", scale.Line, p.Scale)
	}
	return nil
}

// adam reads the settings of both networks, or of each.
func (r *yamlReader) adam(n *yaml.Node, all map[Role]Adam) error {
	read := func(n *yaml.Node, trained ...Role) error {
		a := usualAdam
		if err := r.value(n, reflect.ValueOf(&a).Elem()); err != nil {
			return err
		}
		for _, role := range trained {
			all[role] = a
		}
		return nil
	}
	if child(n, roles[0]) == nil && child(n, roles[1]) == nil {
		return read(n, Discriminator, Generator)
	}
	given := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case !slices.Contains(roles, key.Value):
			return fmt.Errorf("line %d: an optimiser of %.80q, want discriminator or generator%s", key.Line, key.Value, nearest.Hint(key.Value, roles))
		case given[key.Value]:
			return fmt.Errorf("line %d: a second %s", key.Line, key.Value)
		}
		given[key.Value] = true
		if err := read(n.Content[i+1], Role(key.Value)); err != nil {
			return err
		}
	}
	return nil
}

// wanted says what a file has to hold for a kind of value, and which tags
// YAML gives that.
var wanted = map[reflect.Kind]struct {
	text string
	tags []string
}{
	reflect.Int:     {"a whole number", []string{"!!int"}},
	reflect.Float64: {"a number", []string{"!!int", "!!float"}},
	reflect.Bool:    {"true or false", []string{"!!bool"}},
	reflect.String:  {"a text", []string{"!!str", "!!int", "!!float", "!!bool"}},
}

func scalar(n *yaml.Node, v reflect.Value) error {
	want, ok := wanted[v.Kind()]
	if !ok {
		return fmt.Errorf("line %d: %s can't be written in YAML", n.Line, v.Type())
	}
	refused := fmt.Errorf("line %d: %s, want %s", n.Line, found(n), want.text)
	if n.Kind != yaml.ScalarNode || !slices.Contains(want.tags, n.ShortTag()) {
		return refused
	}
	if v.Kind() == reflect.String {
		v.SetString(n.Value)
		return nil
	}
	if err := n.Decode(v.Addr().Interface()); err != nil { // an int that is none of Go's
		return refused
	}
	if v.Kind() == reflect.Float64 && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)) {
		return refused
	}
	return nil
}

// found says what a node is.
func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		if len(n.Content) == 2 {
			return fmt.Sprintf("a mapping of %.80q", n.Content[0].Value)
		}
		return fmt.Sprintf("%d fields", len(n.Content)/2)
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	return fmt.Sprintf("%.80q", n.Value)
}
