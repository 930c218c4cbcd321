package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of the messages in tensorboard/compat/proto/event.proto and
// summary.proto, as far as they are written here.
const (
	wallTime, stepField, fileVersion, summary = 1, 2, 3, 5 // Event
	summaryValue                              = 1          // Summary
	valueTag, valueSimple, valueImage         = 1, 2, 4    // Summary.Value
	imageHeight, imageWidth, imageEncoded     = 1, 2, 4    // Summary.Image
)

// eventsVersion is what the first event of a file says.
const eventsVersion = "brain.Event:2"

func appendBytes(b []byte, field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), content)
}

func newEvent(step int, field protowire.Number, content []byte) []byte {
	b := protowire.AppendTag(nil, wallTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(float64(step)))
	b = protowire.AppendTag(b, stepField, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(step))
	return appendBytes(b, field, content)
}

func newValue(tag string) []byte { return appendBytes(nil, valueTag, []byte(tag)) }

// A TFRecord is a length of 8 bytes, its checksum, the content and its checksum,
// all little-endian.
const (
	recordHead = 12
	recordTail = 4
	maxRecord  = maxPicture + 1<<20
)

func tfrecord(content []byte) [][]byte {
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(content)))
	head = binary.LittleEndian.AppendUint32(head, checksum(head))
	return [][]byte{head, content, binary.LittleEndian.AppendUint32(nil, checksum(content))}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is CRC-32C, rotated and shifted, since checksums of what holds
// checksums are weak.
func checksum(b []byte) uint32 {
	sum := crc32.Checksum(b, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// errTorn is an event that is not whole: the file ends within it, or its
// checksum does not hold.
var errTorn = io.ErrUnexpectedEOF

// scanEvents reads a file of events and calls each with their steps and ends.
// torn tells that it holds more, which can't be read.
func scanEvents(r io.Reader, each func(step int, end int64)) (torn bool, err error) {
	var content bytes.Buffer
	var end int64
	for first := true; ; first = false {
		err := readRecord(r, &content)
		var e event
		if err == nil {
			e, err = parseEvent(content.Bytes())
		}
		switch {
		case first && (errors.Is(err, io.EOF) || errors.Is(err, errTorn) || err == nil && e.version != eventsVersion):
			return false, fmt.Errorf("does not begin with %q: not a file of TensorBoard events", eventsVersion)
		case errors.Is(err, io.EOF):
			return false, nil
		case errors.Is(err, errTorn):
			return true, nil
		case err != nil:
			return false, err
		}
		end += int64(recordHead + content.Len() + recordTail)
		each(e.step, end)
	}
}

// readRecord returns io.EOF where a record could begin, errTorn within one.
func readRecord(r io.Reader, content *bytes.Buffer) error {
	var head [recordHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	length := binary.LittleEndian.Uint64(head[:8])
	if binary.LittleEndian.Uint32(head[8:]) != checksum(head[:8]) || length > maxRecord {
		return errTorn
	}
	content.Reset()
	if _, err := io.CopyN(content, r, int64(length)+recordTail); err != nil { // grows with what there is
		if errors.Is(err, io.EOF) {
			err = errTorn
		}
		return err
	}
	whole := content.Bytes()
	content.Truncate(int(length))
	if binary.LittleEndian.Uint32(whole[length:]) != checksum(whole[:length]) {
		return errTorn
	}
	return nil
}

// event is what is read of one.
type event struct {
	step    int
	version string
}

func parseEvent(b []byte) (e event, err error) {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return event{}, errTorn
		}
		b = b[n:]
		switch {
		case number == stepField && kind == protowire.VarintType:
			var step uint64
			step, n = protowire.ConsumeVarint(b)
			e.step = int(step)
		case number == fileVersion && kind == protowire.BytesType:
			var version []byte
			version, n = protowire.ConsumeBytes(b)
			e.version = string(version)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return event{}, errTorn
		}
		b = b[n:]
	}
	return e, nil
}
