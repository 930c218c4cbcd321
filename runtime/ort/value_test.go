package ort

import (
	"slices"
	"testing"
	"unsafe"
)

func TestAligned(t *testing.T) {
	for n := 1; n < 300; n++ {
		checkAligned[uint8](t, n)
		checkAligned[int32](t, n)
		checkAligned[float64](t, n)
	}
}

func checkAligned[T comparable](t *testing.T, n int) {
	t.Helper()
	s := aligned[T](n)
	if past := uintptr(unsafe.Pointer(&s[0])) % alignment; past != 0 || len(s) != n || cap(s) != n {
		t.Errorf("%T of %d: %d bytes past a multiple, length %d, capacity %d", s, n, past, len(s), cap(s))
	}
	if slices.ContainsFunc(s, func(v T) bool { return v != *new(T) }) {
		t.Errorf("%T of %d: not zero", s, n)
	}
}
