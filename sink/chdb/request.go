package chdb

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const (
	// sqlPrefix is how much of a body is searched for the end of an INSERT
	// statement, ClickHouse's own max_query_size.
	sqlPrefix = 256 << 10
	// maxSQL bounds a statement without data in a format of its own.
	maxSQL = 16 << 20
	// bodyIdle is how long a client may pause while it sends a body, and
	// writeIdle how long it may refuse to take a result: either holds a handle.
	bodyIdle, writeIdle = time.Minute, time.Minute
)

// request is one HTTP request, understood.
type request struct {
	query Query
	st    statement
	data  io.Reader // of an INSERT; nil: the statement is complete
	body  *bodyReader

	compress       bool   // answer in ClickHouse's compressed blocks
	compressMethod string // of these blocks
	gzip           bool   // answer with Content-Encoding: gzip
	hello          bool   // clickhouse-go's handshake
	protocol       int    // client_protocol_version of a handshake
}

// helloSQL is the first query of clickhouse-go on every connection.
const helloSQL = "SELECT displayName(), version(), revision(), timezone()"

// Parameters of the interface itself, which are no settings.
func interfaceParam(name string) bool {
	switch name {
	case "query", "database", "default_format", "compress", "decompress", "user", "password", "quota_key", "query_id",
		"session_id", "session_timeout", "session_check", "client_protocol_version", "stacktrace", "role",
		"buffer_size", "wait_end_of_query", "network_compression_method", "network_zstd_compression_level",
		"send_progress_in_http_headers", "http_write_exception_in_output_format", "enable_http_compression",
		"http_zlib_compression_level", "http_headers_progress_interval_ms", "add_http_cors_header":
		return true
	}
	return false
}

// parseRequest reads the URL, and as much of the body as belongs to the SQL.
func parseRequest(w http.ResponseWriter, r *http.Request, maxBody int64) (*request, error) {
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("URL parameters: %v", err)
	}
	req := &request{}
	if err := req.parseParams(params, r.Header); err != nil {
		return nil, err
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return nil, notImplemented("External tables (multipart bodies) are not supported by the embedded gateway; join with a table instead")
	}
	req.body, err = openBody(w, r, params.Get("decompress") == "1", maxBody)
	if err != nil {
		return nil, err
	}
	if err := req.parseSQL(params.Get("query")); err != nil {
		return nil, err
	}
	req.hello = req.query.SQL == helloSQL && req.query.Format == "Native" && req.protocol > 0
	return req, req.check(r.Method)
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

func (req *request) parseParams(params url.Values, header http.Header) error {
	req.query = Query{
		Database: first(params.Get("database"), header.Get("X-ClickHouse-Database")),
		Format:   first(params.Get("default_format"), header.Get("X-ClickHouse-Format")),
		Buffered: params.Get("wait_end_of_query") == "1",
		Settings: map[string]string{},
		Params:   map[string]string{},
	}
	req.compress = params.Get("compress") == "1"
	req.compressMethod = params.Get("network_compression_method")
	req.gzip = params.Get("enable_http_compression") == "1" && strings.Contains(header.Get("Accept-Encoding"), "gzip")
	if _, err := fmt.Sscan(first(params.Get("client_protocol_version"), "0"), &req.protocol); err != nil {
		return badRequest("client_protocol_version=%q is not a number", params.Get("client_protocol_version"))
	}
	for name, values := range params {
		param, isParam := strings.CutPrefix(name, "param_")
		switch {
		case isParam:
			req.query.Params[param] = values[0]
		case interfaceParam(name):
		case !settingName.MatchString(name):
			return badRequest("URL parameter %q is not the name of a setting", name)
		default:
			req.query.Settings[name] = values[0]
		}
	}
	return nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// parseSQL joins the SQL in the URL and in the body as ClickHouse does (the one,
// a newline, the other), and finds where an INSERT's data begin.
func (req *request) parseSQL(inURL string) error {
	if inURL != "" {
		if st := parseStatement(inURL); st.insertData && st.format != "Values" {
			return req.splitInsert(st, inURL, req.body)
		}
	}
	prefix, err := io.ReadAll(io.LimitReader(req.body, sqlPrefix))
	if err != nil {
		return err
	}
	sql := inURL
	if inURL == "" || len(prefix) > 0 {
		sql = strings.TrimPrefix(inURL+"\n"+string(prefix), "\n")
	}
	st := parseStatement(sql)
	complete := len(prefix) < sqlPrefix
	// Parameters inside of VALUES need the statement whole.
	whole := complete && st.format == "Values" && len(req.query.Params) > 0
	if st.insertData && !whole {
		return req.splitInsert(st, sql, req.body)
	}
	if !complete {
		rest, err := io.ReadAll(io.LimitReader(req.body, maxSQL))
		if err != nil {
			return err
		}
		if len(rest) == maxSQL {
			return &Exception{Code: codeSyntaxError, Message: fmt.Sprintf("The statement is longer than %d MiB. (SYNTAX_ERROR)", maxSQL>>20)}
		}
		sql += string(rest)
		st = parseStatement(sql)
	}
	req.query.SQL, req.st = strings.TrimSpace(sql), st
	return nil
}

// splitInsert takes the statement of an INSERT from its data.
func (req *request) splitInsert(st statement, sql string, rest io.Reader) error {
	if st.insertSelect {
		return notImplemented("INSERT ... SELECT ... FROM input() is not supported by the embedded gateway; use INSERT ... FORMAT")
	}
	req.st, req.query.SQL, req.query.Format = st, st.insert, st.format
	inline := sql[st.data:]
	if strings.TrimSpace(inline) == "" && st.format != "Values" {
		inline = ""
	}
	req.data = rest
	if inline != "" {
		req.data = io.MultiReader(strings.NewReader(inline), rest)
	}
	return nil
}

// check refuses what must not reach the engine.
func (req *request) check(method string) error {
	switch {
	case req.st.usesFile:
		return notImplemented("INTO OUTFILE and FROM INFILE are files of the client, and are not allowed over HTTP")
	case req.query.SQL == "":
		return &Exception{Code: codeSyntaxError, Message: "Syntax error: the query is empty. (SYNTAX_ERROR)"}
	case method == http.MethodGet && !req.st.readsOnly():
		return &Exception{Code: codeReadonly, Message: "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly; use POST for queries that change something. (READONLY)"}
	}
	return nil
}

// bodyReader is a request's body, decoded. It remembers the error that ended it,
// to tell it from one of the engine.
type bodyReader struct {
	r   io.Reader
	err error
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// openBody undoes Content-Encoding, then ClickHouse's own block compression.
func openBody(w http.ResponseWriter, r *http.Request, blocks bool, maxBody int64) (*bodyReader, error) {
	raw := &deadlineReader{r: http.MaxBytesReader(w, r.Body, maxBody), c: http.NewResponseController(w)}
	src, err := decode(r.Header.Get("Content-Encoding"), raw)
	if err != nil {
		return nil, &Exception{Code: codeCannotDecompress, Message: fmt.Sprintf("Content-Encoding: %v. (CANNOT_DECOMPRESS)", err)}
	}
	if blocks {
		src = compress.NewReader(src)
	}
	if src != io.Reader(raw) {
		src = &limitedReader{r: src, left: maxBody, limit: maxBody}
	}
	return &bodyReader{r: src}, nil
}

func decode(encoding string, src io.Reader) (io.Reader, error) {
	switch encoding {
	case "", "identity":
		return src, nil
	case "gzip":
		return gzip.NewReader(src)
	case "deflate":
		return zlib.NewReader(src)
	case "br":
		return brotli.NewReader(src), nil
	case "zstd":
		return zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
	}
	return nil, fmt.Errorf("%q is not supported; use gzip, deflate, br or zstd, or none", encoding)
}

// limitedReader fails, instead of ending, past its limit: a small body may
// decompress to anything.
type limitedReader struct {
	r           io.Reader
	left, limit int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, &http.MaxBytesError{Limit: l.limit}
	}
	return n, err
}

// deadlineReader ends a client that stops sending.
type deadlineReader struct {
	r io.Reader
	c *http.ResponseController
}

func (d *deadlineReader) Read(p []byte) (int, error) {
	// Not every connection has deadlines; those of net/http do.
	_ = d.c.SetReadDeadline(time.Now().Add(bodyIdle))
	n, err := d.r.Read(p)
	if err != nil {
		// From here on net/http watches the connection to cancel the context.
		_ = d.c.SetReadDeadline(time.Time{})
	}
	return n, err
}

// drain reads what a client still sends after its insert has failed, so that it
// comes to read the answer; bounded, since it may send forever.
func drain(body io.Reader) {
	if body != nil {
		_, _ = io.CopyN(io.Discard, body, 512<<20)
	}
}

// trimSemicolon lets "SELECT 1;" through as the single statement that it is.
func trimSemicolon(sql string) string {
	return string(bytes.TrimRight([]byte(sql), "; \t\r\n"))
}
