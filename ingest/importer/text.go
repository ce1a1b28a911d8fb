package importer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// errRowTooLong is what a meter returns once a row is longer than it may be.
var errRowTooLong = errors.New("row too long")

// meter reads UTF-8 text and counts it: for the whole file, and for the row at
// hand, so that a quote that never closes cannot fill the memory.
type meter struct {
	r     io.Reader
	file  string
	total int64
	row   int // bytes since the last row began
	limit int
	lines int
	tail  [utf8.UTFMax]byte // the begin of a character that the last read cut
	cut   int
	bad   error // found before: the reader above may have asked without listening
}

// Read implements io.Reader. It fails at the first byte that is not UTF-8.
func (m *meter) Read(p []byte) (int, error) {
	if m.bad != nil {
		return 0, m.bad
	}
	if m.row > m.limit {
		return 0, errRowTooLong
	}
	n, err := m.r.Read(p)
	if bad := m.check(p[:n], err == io.EOF); bad >= 0 {
		line := m.lines + 1 + bytes.Count(p[:bad], []byte("\n"))
		m.bad = Problem{m.file, line, "", fmt.Sprintf("not UTF-8 at byte %d", m.total+int64(bad)), encodingRemedy}
		return 0, m.bad
	}
	m.lines += bytes.Count(p[:n], []byte("\n"))
	m.total += int64(n)
	m.row += n
	return n, err
}

const encodingRemedy = "convert it first, for example: iconv -f GB18030 -t UTF-8 FILE > FILE.utf8.csv (Excel: save as \"CSV UTF-8\")"

// check returns the place of the first byte that is not UTF-8, or -1.
func (m *meter) check(p []byte, last bool) int {
	start := 0
	for m.cut > 0 && start < len(p) { // finish the cut character
		m.tail[m.cut] = p[start]
		m.cut++
		start++
		if utf8.FullRune(m.tail[:m.cut]) {
			if r, size := utf8.DecodeRune(m.tail[:m.cut]); r == utf8.RuneError && size == 1 {
				return 0
			}
			m.cut = 0
		}
	}
	rest := p[start:]
	if utf8.Valid(rest) {
		if last && m.cut > 0 {
			return 0
		}
		return -1
	}
	for i := 0; i < len(rest); {
		if rest[i] < utf8.RuneSelf {
			i++
			continue
		}
		if !utf8.FullRune(rest[i:]) && !last {
			m.cut = copy(m.tail[:], rest[i:])
			return -1
		}
		r, size := utf8.DecodeRune(rest[i:])
		if r == utf8.RuneError && size == 1 {
			return start + i
		}
		i += size
	}
	return -1
}

// newText returns the text of a file without its byte order mark, and refuses
// encodings that are no text in UTF-8 by their first bytes.
func newText(file string, r io.Reader, limit int) (*bufio.Reader, *meter, error) {
	m := &meter{r: r, file: file, limit: limit}
	head := bufio.NewReaderSize(r, 64<<10)
	begin, err := head.Peek(4)
	switch {
	case len(begin) == 0 && err == io.EOF:
		return nil, nil, Problem{File: file, What: "the file is empty", Remedy: "give a file with a header row (CSV) or one JSON object per line"}
	case err != nil && err != io.EOF:
		return nil, nil, err
	case bytes.HasPrefix(begin, []byte("\xff\xfe")), bytes.HasPrefix(begin, []byte("\xfe\xff")):
		return nil, nil, Problem{File: file, What: "the file is UTF-16", Remedy: "convert it first: iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8.csv (Excel: save as \"CSV UTF-8\")"}
	case bytes.HasPrefix(begin, []byte("PK\x03\x04")):
		return nil, nil, Problem{File: file, What: "the file is a zip archive or an Excel workbook", Remedy: "unpack it, or save the sheet as \"CSV UTF-8\""}
	case bytes.HasPrefix(begin, []byte("\x1f\x8b")):
		return nil, nil, Problem{File: file, What: "the file is compressed with gzip", Remedy: "unpack it first: gunzip FILE"}
	case bytes.HasPrefix(begin, []byte("\xef\xbb\xbf")):
		head.Discard(3) //nolint:errcheck // was peeked
		m.total = 3
	}
	m.r = head
	return bufio.NewReaderSize(m, 64<<10), m, nil
}
