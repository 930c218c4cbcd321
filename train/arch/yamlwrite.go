package arch

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML is the GAN as a file that ReadYAML reads, each part below the sources
// of what it holds.
func (g GAN) YAML() ([]byte, error) {
	if g.Image.Picture() && g.Min == -1 && g.Max == 1 {
		g.Min, g.Max = 0, 0
	}
	usually := usualOf(reflect.TypeFor[GAN]()).Interface().(GAN)
	if g.Min != g.Max { // both are written, also one that is 0
		usually.Min, usually.Max = math.NaN(), math.NaN()
	}
	w := yamlWriter{g.Sources}
	root := w.fields(reflect.ValueOf(g), reflect.ValueOf(usually))
	var text bytes.Buffer
	e := yaml.NewEncoder(&text)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return nil, fmt.Errorf("arch: %s: %w", g.Name, err)
	}
	return text.Bytes(), nil
}

// topicsOf are the sources that stand above a field.
var topicsOf = map[string][]Topic{
	"GAN.latent": {LatentSpace}, "GAN.generator": {Networks, Normalising, Initialisers}, "GAN.grid": {Samples},
	"Recipe.batch": {Batch}, "Recipe.epochs": {Epochs}, "Recipe.steps": {Epochs},
	"Recipe.updates": {Loss, Order}, "Recipe.adam": {Optimiser},
}

type yamlWriter struct{ sources Sources }

// value writes what yamlReader.value reads.
func (w yamlWriter) value(v, usually reflect.Value) *yaml.Node {
	switch x := v.Interface().(type) {
	case Layer:
		return tag(x.Kind(), w.short(v.Elem(), usualOf(v.Elem().Type())))
	case Update:
		n := w.fields(v, reflect.ValueOf(usualUpdate(x.Trains)))
		n.Style = yaml.FlowStyle
		return tag(string(x.Trains), n)
	case Init:
		if x.Scale == 0 {
			return text(x.Kind)
		}
		return flow(tag(x.Kind, scalarNode(x.Scale)))
	case map[Role]Adam:
		if x[Discriminator] == x[Generator] {
			return flow(w.fields(reflect.ValueOf(x[Generator]), usualOf(reflect.TypeFor[Adam]())))
		}
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, role := range roles {
			a := w.fields(reflect.ValueOf(x[Role(role)]), usualOf(reflect.TypeFor[Adam]()))
			n.Content = append(n.Content, text(role), flow(a))
		}
		return n
	}
	switch v.Kind() {
	case reflect.Struct:
		return w.short(v, usually)
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			item := v.Index(i)
			n.Content = append(n.Content, w.value(item, usualOf(item.Type())))
		}
		if v.Type().Elem().Kind() == reflect.Int {
			n.Style = yaml.FlowStyle
		}
		return n
	}
	return scalarNode(v.Interface())
}

// fields writes the fields of a struct but for those that are usual. Of what is
// no layer only zeros are left out, so that the numbers of a recipe are seen.
func (w yamlWriter) fields(v, usually reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	_, layer := v.Interface().(Layer)
	for _, name := range fieldNames(v.Type()) {
		f, u := field(v, name), field(usually, name)
		if reflect.DeepEqual(f.Interface(), u.Interface()) && (layer || f.IsZero()) {
			continue
		}
		key := text(name)
		for _, topic := range topicsOf[v.Type().Name()+"."+name] {
			if o, ok := w.sources[topic]; ok {
				key.HeadComment = strings.TrimPrefix(key.HeadComment+"\n"+o.comment(topic), "\n")
			}
		}
		n.Content = append(n.Content, key, w.value(f, u))
	}
	return n
}

func (o Origin) comment(t Topic) string {
	c := fmt.Sprintf("# %s: %s", t, o.Source)
	if o.Remark != "" {
		c += ": " + o.Remark
	}
	return c
}

// short is fields, or the value of the first one where that is all.
func (w yamlWriter) short(v, usually reflect.Value) *yaml.Node {
	n := w.fields(v, usually)
	if !shortens(v.Type()) {
		return n
	}
	if len(n.Content) == 2 && n.Content[0].Value == fieldNames(v.Type())[0] {
		return n.Content[1]
	}
	if v.Type() != reflect.TypeFor[Network]() {
		n.Style = yaml.FlowStyle
	}
	return n
}

// tag writes "kind: settings", or the kind alone where there are none.
func tag(kind string, settings *yaml.Node) *yaml.Node {
	if settings.Kind == yaml.MappingNode && len(settings.Content) == 0 {
		return text(kind)
	}
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text(kind), settings}}
}

func flow(n *yaml.Node) *yaml.Node {
	n.Style = yaml.FlowStyle
	return n
}

func text(s string) *yaml.Node { return scalarNode(s) }

// scalarNode writes a number, a text or a truth.
func scalarNode(x any) *yaml.Node {
	var n yaml.Node
	if err := n.Encode(x); err != nil {
		panic(err) // these have a form
	}
	return &n
}
