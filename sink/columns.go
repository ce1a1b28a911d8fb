package sink

import (
	"encoding/binary"
	"time"
	"unsafe"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"

	"scantrail/schemas"
)

// column is one buffer of a block.
type column interface {
	// encode appends all values in ClickHouse's Native format.
	encode(*proto.Buffer)
	// values returns all values as a slice that clickhouse-go takes.
	values() any
	len() int
	reset()
}

// fixed is a column of values of a fixed width.
type fixed[T any, C interface {
	~[]T
	EncodeColumn(*proto.Buffer)
}] struct{ v C }

func (c *fixed[T, C]) add(x T)                { c.v = append(c.v, x) }
func (c *fixed[T, C]) encode(b *proto.Buffer) { c.v.EncodeColumn(b) }
func (c *fixed[T, C]) values() any            { return []T(c.v) }
func (c *fixed[T, C]) len() int               { return len(c.v) }
func (c *fixed[T, C]) reset()                 { c.v = c.v[:0] }

type (
	u8s   = fixed[uint8, proto.ColUInt8]
	u16s  = fixed[uint16, proto.ColUInt16]
	u32s  = fixed[uint32, proto.ColUInt32]
	u64s  = fixed[uint64, proto.ColUInt64]
	i32s  = fixed[int32, proto.ColInt32]
	i64s  = fixed[int64, proto.ColInt64]
	bools = fixed[bool, proto.ColBool]
)

// ids is a column of UUID.
type ids struct {
	fixed[uuid.UUID, proto.ColUUID]
}

func (c *ids) add(id schemas.ID) { c.v = append(c.v, uuid.UUID(id)) }

// timeType is the type of all times.
const timeType = "DateTime64(3, 'UTC')"

// Times outside of these would wrap around on their way to ClickHouse: the
// driver counts in nanoseconds, the server from 1900 on.
const (
	minMillis = -2208988800_000 // 1900-01-01
	maxMillis = 9183110400_000  // 2261-01-01
)

// times is a column of timeType, in Unix milliseconds, as ClickHouse counts.
type times struct{ i64s }

func (c *times) add(ms int64) { c.v = append(c.v, min(max(ms, minMillis), maxMillis)) }

// nullTimes is a column of Nullable(timeType), where 0 is null.
type nullTimes struct {
	times
	nulls u8s
}

func (c *nullTimes) add(ms int64) {
	c.times.add(ms)
	c.nulls.add(bit(ms == 0))
}

func (c *nullTimes) encode(b *proto.Buffer) {
	c.nulls.encode(b)
	c.times.encode(b)
}

func (c *nullTimes) values() any {
	ptrs := make([]*int64, len(c.v))
	for i := range ptrs {
		if c.nulls.v[i] == 0 {
			ptrs[i] = &c.v[i]
		}
	}
	return ptrs
}

func (c *nullTimes) reset() {
	c.times.reset()
	c.nulls.reset()
}

// secs is a column of DateTime('UTC'), in Unix seconds.
type secs struct{ u32s }

func (c *secs) values() any {
	all := make([]int64, len(c.v))
	for i, v := range c.v {
		all[i] = int64(v)
	}
	return all
}

// days is a column of Date, in days since 1970-01-01, as ClickHouse counts.
type days struct{ u16s }

func (c *days) values() any {
	all := make([]time.Time, len(c.v))
	for i, v := range c.v {
		all[i] = time.Unix(int64(v)*86400, 0).UTC()
	}
	return all
}

// strs is a column of String, kept as it goes over the wire: each value after
// its length. It copies what is added.
type strs struct {
	buf []byte
	n   int
}

func (c *strs) add(s string) {
	c.buf = append(binary.AppendUvarint(c.buf, uint64(len(s))), s...)
	c.n++
}

func (c *strs) addBytes(b []byte) { c.add(unsafe.String(unsafe.SliceData(b), len(b))) }

func (c *strs) encode(b *proto.Buffer) { b.PutRaw(c.buf) }
func (c *strs) values() any            { return c.slice() }
func (c *strs) len() int               { return c.n }
func (c *strs) reset()                 { c.buf, c.n = c.buf[:0], 0 }

// slice returns the values, which alias the column.
func (c *strs) slice() []string {
	all := make([]string, 0, c.n)
	for rest := c.buf; len(rest) > 0; {
		size, n := binary.Uvarint(rest)
		all = append(all, unsafe.String(unsafe.SliceData(rest[n:]), size))
		rest = rest[n+int(size):]
	}
	return all
}

// arrays is a column of Array(String).
type arrays struct {
	ends u64s // number of elements up to the end of each array
	elem strs
}

func (c *arrays) add(a []string) {
	for _, s := range a {
		c.elem.add(s)
	}
	c.ends.add(uint64(c.elem.n))
}

func (c *arrays) encode(b *proto.Buffer) {
	c.ends.encode(b)
	c.elem.encode(b)
}

func (c *arrays) values() any {
	flat, all, start := c.elem.slice(), make([][]string, len(c.ends.v)), uint64(0)
	for i, end := range c.ends.v {
		all[i], start = flat[start:end], end
	}
	return all
}

func (c *arrays) len() int { return c.ends.len() }
func (c *arrays) reset() {
	c.ends.reset()
	c.elem.reset()
}

// numbers is a column of Array(UInt32).
type numbers struct {
	ends u64s // as in arrays
	elem u32s
}

func (c *numbers) add(a []uint32) {
	c.elem.v = append(c.elem.v, a...)
	c.ends.add(uint64(len(c.elem.v)))
}

func (c *numbers) encode(b *proto.Buffer) {
	c.ends.encode(b)
	c.elem.encode(b)
}

func (c *numbers) values() any {
	all, start := make([][]uint32, len(c.ends.v)), uint64(0)
	for i, end := range c.ends.v {
		all[i], start = c.elem.v[start:end], end
	}
	return all
}

func (c *numbers) len() int { return c.ends.len() }
func (c *numbers) reset() {
	c.ends.reset()
	c.elem.reset()
}

func bit(v bool) uint8 {
	if v {
		return 1
	}
	return 0
}

// spec binds a column of a table to its buffer. The type is the one on the
// wire: LowCardinality goes as its inner type, of which the server, which is
// faster at that, makes the dictionary.
type spec struct {
	name, typ string
	col       column
}

func strCol(name string, c *strs) spec       { return spec{name, "String", c} }
func idCol(name string, c *ids) spec         { return spec{name, "UUID", c} }
func timeCol(name string, c *times) spec     { return spec{name, timeType, c} }
func nullCol(name string, c *nullTimes) spec { return spec{name, "Nullable(" + timeType + ")", c} }
func secCol(name string, c *secs) spec       { return spec{name, "DateTime('UTC')", c} }
func dayCol(name string, c *days) spec       { return spec{name, "Date", c} }
func numsCol(name string, c *numbers) spec   { return spec{name, "Array(UInt32)", c} }
func boolCol(name string, c *bools) spec     { return spec{name, "Bool", c} }
func u8Col(name string, c *u8s) spec         { return spec{name, "UInt8", c} }
func u16Col(name string, c *u16s) spec       { return spec{name, "UInt16", c} }
func u32Col(name string, c *u32s) spec       { return spec{name, "UInt32", c} }
func u64Col(name string, c *u64s) spec       { return spec{name, "UInt64", c} }
func i32Col(name string, c *i32s) spec       { return spec{name, "Int32", c} }
func i64Col(name string, c *i64s) spec       { return spec{name, "Int64", c} }
func arrCol(name string, c *arrays) spec     { return spec{name, "Array(String)", c} }
