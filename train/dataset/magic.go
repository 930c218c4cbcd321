package dataset

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
)

// foreign lists how files begin that end up where a data file is expected.
var foreign = []struct{ start, what string }{
	{"\x1f\x8b", "gzip inside gzip: unpack it once"},
	{"\x89PNG", "a PNG picture"},
	{"\xff\xd8\xff", "a JPEG picture"},
	{"<", "HTML or XML: perhaps an error page saved by a download"},
	{"PK\x03\x04", "a zip archive"},
	{"\x93NUM", "a NumPy array"},
	{"MATL", "a MATLAB file"},
	{"vers", "perhaps a Git LFS pointer: fetch the file itself"},
}

// checkMagic compares the first bytes of a file (4 at least) with the magic
// number for unsigned bytes of the given rank, and says what else they are.
func checkMagic(start []byte, rank int) error {
	magic, want := binary.BigEndian.Uint32(start), uint32(typeByte<<8|rank)
	if magic == want {
		return nil
	}
	// was is what the file turned out to be, as far as its start tells.
	was := "not an IDX file"
	switch {
	case magic == typeByte<<8|imageRank:
		was = "this is an image file"
	case magic == typeByte<<8|labelRank:
		was = "this is a label file"
	case binary.LittleEndian.Uint32(start) == want:
		was = "the byte order is reversed"
	case magic>>16 == 0 && start[2] == typeByte:
		was = fmt.Sprintf("an IDX file of %d dimensions", start[3])
	case magic>>16 == 0 && elementTypes[start[2]] != "":
		was = fmt.Sprintf("an IDX file of element type %s; unsigned bytes are needed", elementTypes[start[2]])
	}
	return fmt.Errorf("magic number is 0x%08x, expected 0x%08x: %s", magic, want, cmp.Or(foreignKind(start), was))
}

// foreignKind says what a file is that begins so, or "".
func foreignKind(start []byte) string {
	for _, f := range foreign {
		if bytes.HasPrefix(start, []byte(f.start)) {
			return f.what
		}
	}
	return ""
}
