package chdb

import (
	"compress/gzip"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/compress"
)

// blockSize is how much goes into one of ClickHouse's compressed blocks.
const blockSize = 1 << 20

// response writes a result: its headers with the first byte, then the data, in
// the encoding that the request asked for.
type response struct {
	w       http.ResponseWriter
	control *http.ResponseController
	tag     string // of an exception after the first byte
	out     io.Writer
	blocks  *compress.Writer
	zipped  *gzip.Writer
	started bool
}

func newResponse(w http.ResponseWriter, req *request, queryID, timezone string) *response {
	res := &response{w: w, control: http.NewResponseController(w), tag: randomTag(), out: w}
	h := w.Header()
	h.Set("X-ClickHouse-Query-Id", queryID)
	h.Set("X-ClickHouse-Timezone", timezone)
	h.Set("X-ClickHouse-Server-Display-Name", displayName)
	h.Set("X-ClickHouse-Exception-Tag", res.tag)
	if req == nil {
		return res
	}
	format := formatOr(req.query.Format)
	if req.data == nil && req.st.format != "" {
		format = req.st.format
	}
	h.Set("X-ClickHouse-Format", format)
	h.Set("Content-Type", contentType(format))
	if req.gzip {
		res.zipped, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is valid
		res.out = res.zipped
	}
	if req.compress {
		method := compress.LZ4
		if strings.EqualFold(req.compressMethod, "ZSTD") {
			method = compress.ZSTD
		}
		res.blocks = compress.NewWriter(compress.LevelZero, method)
	}
	return res
}

func contentType(format string) string {
	switch strings.ToUpper(format) {
	case "TABSEPARATED", "TSV":
		return "text/tab-separated-values; charset=UTF-8"
	case "CSV":
		return "text/csv; charset=UTF-8; header=absent"
	case "CSVWITHNAMES":
		return "text/csv; charset=UTF-8; header=present"
	case "JSON", "JSONCOMPACT":
		return "application/json; charset=UTF-8"
	case "JSONEACHROW", "JSONLINES", "NDJSON":
		return "application/x-ndjson; charset=UTF-8"
	case "NATIVE", "ROWBINARY", "PARQUET", "ARROW":
		return "application/octet-stream"
	}
	return "text/plain; charset=UTF-8"
}

func (res *response) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	res.start()
	_ = res.control.SetWriteDeadline(time.Now().Add(writeIdle)) // see deadlineReader
	if res.blocks == nil {
		return res.out.Write(p)
	}
	for rest := p; len(rest) > 0; {
		n := min(len(rest), blockSize)
		if err := res.blocks.Compress(rest[:n]); err != nil {
			return 0, err
		}
		if _, err := res.out.Write(res.blocks.Data); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(p), nil
}

func (res *response) start() {
	if res.started {
		return
	}
	res.started = true
	if res.zipped != nil {
		res.w.Header().Set("Content-Encoding", "gzip")
	}
	res.w.WriteHeader(http.StatusOK)
}

// finish ends a response that went well.
func (res *response) finish(stats Stats) {
	if !res.started {
		res.w.Header().Set("X-ClickHouse-Summary", fmt.Sprintf(
			`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d","written_bytes":"%d"}`,
			stats.ReadRows, stats.ReadBytes, stats.WrittenRows, stats.WrittenBytes))
		res.w.WriteHeader(http.StatusOK)
		return
	}
	if res.zipped != nil {
		_ = res.zipped.Close() // the client is gone if that fails
	}
}

// fail answers with an exception: as status and text while nothing is sent yet,
// else as the block that ClickHouse appends to a result that broke off; the
// connection then closes, so that no client takes the result for whole.
func (res *response) fail(e *Exception, version string) {
	text := e.Error()
	if !strings.Contains(text, "(version ") {
		text += fmt.Sprintf(" (version %s (chdb %s))", version, Version)
	}
	if !res.started {
		h := res.w.Header()
		h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(e.Code))
		h.Set("Content-Type", "text/plain; charset=UTF-8")
		if e.Code == 194 || e.Code == codeAuthFailed {
			h.Set("WWW-Authenticate", `Basic realm="ClickHouse server HTTP API"`)
		}
		res.w.WriteHeader(httpStatus(e.Code))
		_, _ = io.WriteString(res.w, text+"\n")
		return
	}
	block := fmt.Sprintf("\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", res.tag, text, len(text)+1, res.tag)
	// Not in ClickHouse's own compression: clickhouse-go looks for the marker in
	// the bytes as they come, and a client that does not fails on the checksum.
	_, _ = io.WriteString(res.out, block)
	if res.zipped != nil {
		_ = res.zipped.Close()
	}
	_ = res.control.Flush()
	panic(http.ErrAbortHandler)
}

// randomTag is 16 characters that no result contains by accident.
func randomTag() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func newQueryID() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
