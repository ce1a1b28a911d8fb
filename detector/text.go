package detector

import "unsafe"

// text hands out strings cut from shared chunks, so that a string costs no
// allocation of its own. A chunk is never written twice: the strings stay valid.
type text struct{ chunk []byte }

const textChunk = 16 << 10

func (t *text) of(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if cap(t.chunk)-len(t.chunk) < len(b) {
		t.chunk = make([]byte, 0, max(textChunk, len(b)))
	}
	start := len(t.chunk)
	t.chunk = append(t.chunk, b...)
	return unsafe.String(&t.chunk[start], len(b))
}
