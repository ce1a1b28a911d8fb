package detector

import "encoding/binary"

// reader takes bytes off a buffer and remembers whether they were there.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return zeros[:n&(len(zeros)-1)]
	}
	t := r.b[:n:n]
	r.b = r.b[n:]
	return t
}

// zeros stands for missing bytes; no fixed field is longer.
var zeros [32]byte

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }
