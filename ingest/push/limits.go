package push

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// leastHold is what a request holds at least: its buffer begins so, and
// connection, headers and the record beside it are not nothing.
const leastHold = 4 << 10

// inflaterHold is what unpacking gzip takes beside its result.
const inflaterHold = 48 << 10

// budget is a number of bytes that requests share.
type budget struct{ left atomic.Int64 }

func newBudget(bytes int64) *budget {
	b := &budget{}
	b.left.Store(bytes)
	return b
}

func (b *budget) take(n int64) bool {
	if b.left.Add(-n) < 0 {
		b.left.Add(n)
		return false
	}
	return true
}

// hold is what one request has taken of its carrier's budget and of that of all.
// It grows as the body comes, so that a sender that announces much and sends
// nothing holds next to nothing.
type hold struct {
	carrier, all *budget
	taken        int64
}

func (h *hold) take(n int64) bool {
	if !h.carrier.take(n) {
		return false
	}
	if !h.all.take(n) {
		h.carrier.left.Add(n)
		return false
	}
	h.taken += n
	return true
}

func (h *hold) release() {
	h.carrier.left.Add(h.taken)
	h.all.left.Add(h.taken)
	h.taken = 0
}

var (
	errFull     = errors.New("too much is under way")
	errTooLarge = errors.New("the body is too long")
)

// readAll reads at most limit bytes; expected is how many are announced, or -1.
func (h *hold) readAll(src io.Reader, expected int64, limit int) ([]byte, error) {
	const most = 64 << 10 // that is believed of what is announced
	size := int64(leastHold)
	if expected >= size { // one byte more, to see the end without growing
		size = min(expected+1, most)
	}
	if !h.take(size) {
		return nil, errFull
	}
	buf := make([]byte, 0, size)
	for {
		n, err := src.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			return nil, errTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		}
		if len(buf) == cap(buf) {
			grown := min(2*cap(buf), limit+1)
			if !h.take(int64(grown - cap(buf))) {
				return nil, errFull
			}
			buf = append(make([]byte, 0, grown), buf...)
		}
	}
}

// unpacked returns the body without its Content-Encoding, of which only gzip is
// read: nothing else is sent by carriers. What it unpacks to is limited by
// readAll, and what comes in by the caller.
func (h *hold) unpacked(body io.Reader, encoding string) (io.Reader, error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		if !h.take(inflaterHold) {
			return nil, errFull
		}
		return gzip.NewReader(body)
	}
	return nil, errEncoding
}

var errEncoding = errors.New("the Content-Encoding is not known")

// isForm reports whether a body is what a browser's form sends, in which no
// carrier's message stands as it is. Some tools name that type for anything: a body
// that begins like a message is one.
func isForm(h http.Header, body []byte) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "multipart/form-data":
		return true
	case "application/x-www-form-urlencoded":
		text := strings.TrimLeft(string(body[:min(len(body), 16)]), "\ufeff \t\r\n")
		return !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") && !strings.HasPrefix(text, "<") &&
			!strings.HasPrefix(text, "UN") && !strings.HasPrefix(text, "ISA")
	}
	return false
}

// bucket lets so many requests a second pass, and as many at once.
type bucket struct {
	rate float64
	mu   sync.Mutex
	left float64
	at   time.Time
}

func newBucket(rate int) *bucket { return &bucket{rate: float64(rate), left: float64(rate)} }

// take takes one request, or returns after how long there is one.
func (b *bucket) take(now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if passed := now.Sub(b.at); passed > 0 {
		b.left = min(b.rate, b.left+b.rate*passed.Seconds())
		b.at = now
	}
	if b.left < 1 {
		return time.Duration((1 - b.left) / b.rate * float64(time.Second))
	}
	b.left--
	return 0
}
