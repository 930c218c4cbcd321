package record

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// EventsFile is the name of a run's file of events: TensorBoard looks for its
// first part. What usually follows, the time and the host, would differ between
// two equal runs.
const EventsFile = "events.out.tfevents.0000000000.gantrain"

// Events appends scalars and pictures to a file that TensorBoard shows. An
// event's wall time is its step, taken as seconds: a run that was stopped and
// resumed leaves the bytes of one that was not. Events gather in memory until
// Sync or Close or until a few kilobytes have come together. It is not safe for
// concurrent use.
type Events struct {
	out  appender
	last int // step of the last event
}

// CreateEvents starts a file of events, mostly of the name [EventsFile]. A file
// of that name must not exist.
func CreateEvents(path string) (*Events, error) {
	var head bytes.Buffer
	for _, part := range tfrecord(newEvent(0, fileVersion, []byte(eventsVersion))) {
		head.Write(part)
	}
	out, err := newAppender(path, head.Bytes())
	if err != nil {
		return nil, err
	}
	return &Events{out: out}, nil
}

// OpenEvents goes on with a file of events, after its last one. What a stopped
// run may have left at its end is for TruncateEvents to remove first.
func OpenEvents(path string) (*Events, error) {
	e := &Events{}
	var err error
	e.out, err = openAppender(path, func(r io.Reader) error {
		torn, err := scanEvents(r, func(step int, _ int64) { e.last = step })
		if err == nil && torn {
			err = errors.New("the last event is torn: truncate the file first")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Scalar adds a value, rounded to float32. Values with the same tag make a
// curve; TensorBoard puts those together whose tags agree up to a slash. The
// step must not be before the last event's.
func (e *Events) Scalar(step int, tag string, value float64) error {
	v := protowire.AppendTag(newValue(tag), valueSimple, protowire.Fixed32Type)
	return e.add(step, protowire.AppendFixed32(v, math.Float32bits(float32(value))))
}

// Picture adds a PNG file as it is. Those with the same tag make a slider.
func (e *Events) Picture(step int, tag, path string) error {
	content, err := readPicture(path)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	config, err := png.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("record: %s: no PNG picture: %w", path, err)
	}
	var img []byte
	img = protowire.AppendTag(img, imageHeight, protowire.VarintType)
	img = protowire.AppendVarint(img, uint64(config.Height))
	img = protowire.AppendTag(img, imageWidth, protowire.VarintType)
	img = protowire.AppendVarint(img, uint64(config.Width))
	img = appendBytes(img, imageEncoded, content)
	return e.add(step, appendBytes(newValue(tag), valueImage, img))
}

// Sync brings all events to the disk. Call it before the checkpoint of the same
// step is written, so that a run that goes on from there finds them.
func (e *Events) Sync() error { return e.out.sync() }

// Close writes what is left and closes the file.
func (e *Events) Close() error { return e.out.close() }

// add writes an event with one value.
func (e *Events) add(step int, value []byte) error {
	if step < e.last {
		return fmt.Errorf("record: %s: step %d comes before step %d", e.out.path, step, e.last)
	}
	event := newEvent(step, summary, appendBytes(nil, summaryValue, value))
	if err := e.out.write(tfrecord(event)...); err != nil {
		return err
	}
	e.last = step
	return nil
}

// TruncateEvents drops the events after a step from a file that a resumed run
// will go on with; the bytes before stay as they are. A torn or damaged event
// goes too, with all that follows: no reader gets past it.
func TruncateEvents(path string, afterStep int) error {
	return cut(path, func(r io.Reader) (int64, error) {
		var keep int64
		_, err := scanEvents(r, func(step int, end int64) {
			if step <= afterStep {
				keep = end
			}
		})
		return keep, err
	})
}
