package keras

import (
	"errors"
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// readModel reads an ONNX file.
func readModel(path string) (*onnxpb.ModelProto, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := new(onnxpb.ModelProto)
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, err
	}
	if m.Graph == nil {
		return nil, errors.New("no graph")
	}
	d, _ := os.ReadFile(path + ".data")
	for _, i := range m.Graph.Initializer {
		if i.DataLocation == 1 {
			off, l := 0, 0
			for _, e := range i.ExternalData {
				if e.Key == "offset" {
					fmt.Sscan(e.Value, &off)
				}
				if e.Key == "length" {
					fmt.Sscan(e.Value, &l)
				}
			}
			i.RawData = d[off : off+l]
			i.DataLocation = 0
			i.ExternalData = nil
		}
	}
	return m, nil
}
