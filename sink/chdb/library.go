//go:build !nochdb && (linux || darwin)

package chdb

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is the C interface of libchdb. Handles of the library are opaque and
// kept as uintptr; memory that it returns belongs to a result and is valid until
// that result is destroyed.
type library struct {
	connect   func(argc int32, argv **byte) *uintptr
	closeConn func(conn *uintptr)

	query        func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr, names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, n uintptr) uintptr
	streamQuery  func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr, names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, n uintptr) uintptr
	streamFetch  func(conn, stream uintptr) uintptr
	streamCancel func(conn, stream uintptr)

	insert        func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr, names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, n uintptr) uintptr
	insertAppend  func(insert uintptr, data *byte, n uintptr) int32
	insertDone    func(insert uintptr) uintptr
	insertCancel  func(insert uintptr)
	insertError   func(insert uintptr) *byte
	insertDestroy func(insert uintptr)

	destroy      func(result uintptr)
	buffer       func(result uintptr) *byte
	length       func(result uintptr) uintptr
	err          func(result uintptr) *byte
	readRows     func(result uintptr) uint64
	readBytes    func(result uintptr) uint64
	writtenRows  func(result uintptr) uint64
	writtenBytes func(result uintptr) uint64

	setSignalHandlers func(enabled int32)
}

// loadLibrary maps libchdb and binds its functions. It leaves the process's
// signal handlers as they are.
func loadLibrary(path string) (*library, error) {
	if err := checkLibrary(path, 0); err != nil {
		return nil, fmt.Errorf("chdb: library %s: %w", path, err)
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("chdb: loading %s: %w; the library needs glibc (not musl) and the machine's own architecture", path, err)
	}
	lib := &library{}
	for name, fn := range map[string]any{
		"chdb_connect":                     &lib.connect,
		"chdb_close_conn":                  &lib.closeConn,
		"chdb_query_with_params_n":         &lib.query,
		"chdb_stream_query_with_params_n":  &lib.streamQuery,
		"chdb_stream_fetch_result":         &lib.streamFetch,
		"chdb_stream_cancel_query":         &lib.streamCancel,
		"chdb_stream_insert_with_params_n": &lib.insert,
		"chdb_stream_append":               &lib.insertAppend,
		"chdb_stream_done":                 &lib.insertDone,
		"chdb_stream_cancel_insert":        &lib.insertCancel,
		"chdb_stream_insert_error":         &lib.insertError,
		"chdb_destroy_insert_stream":       &lib.insertDestroy,
		"chdb_destroy_query_result":        &lib.destroy,
		"chdb_result_buffer":               &lib.buffer,
		"chdb_result_length":               &lib.length,
		"chdb_result_error":                &lib.err,
		"chdb_result_rows_read":            &lib.readRows,
		"chdb_result_bytes_read":           &lib.readBytes,
		"chdb_result_rows_written":         &lib.writtenRows,
		"chdb_result_bytes_written":        &lib.writtenBytes,
		"chdb_set_signal_handlers_enabled": &lib.setSignalHandlers,
	} {
		symbol, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("chdb: %s is not libchdb %s: it has no %s; unset %s to have that version fetched", path, Version, name, EnvLibrary)
		}
		purego.RegisterFunc(fn, symbol)
	}
	return lib, nil
}

// connectArgs opens one handle with the arguments of a command line.
func (l *library) connectArgs(args []string) (*uintptr, error) {
	argv := make([]*byte, len(args)+1) // NULL-terminated
	for i, a := range args {
		p, err := syscall.BytePtrFromString(a)
		if err != nil {
			return nil, fmt.Errorf("chdb: argument %q: %w", a, err)
		}
		argv[i] = p
	}
	conn := l.connect(int32(len(args)), &argv[0])
	runtime.KeepAlive(argv)
	if conn == nil || *conn == 0 {
		return nil, fmt.Errorf("chdb: the engine did not start on %v; the reason is on standard error (a damaged or newer data directory, or another directory is open in this process)", args[1:])
	}
	return conn, nil
}

// stats reads the counters of a result.
func (l *library) stats(result uintptr) Stats {
	return Stats{
		ReadRows: l.readRows(result), ReadBytes: l.readBytes(result),
		WrittenRows: l.writtenRows(result), WrittenBytes: l.writtenBytes(result),
	}
}

// failure returns a result's error, or nil.
func (l *library) failure(result uintptr) error {
	if text := goString(l.err(result)); text != "" {
		return parseException(text)
	}
	return nil
}

// bytes is a result's data; it must not be used after destroy.
func (l *library) bytes(result uintptr) []byte {
	return unsafe.Slice(l.buffer(result), l.length(result))
}

// cQuery holds the arguments of the three query functions of the library. They
// take lengths, so nothing needs a terminating NUL. It must be kept alive (see
// runtime.KeepAlive) until the call returns.
type cQuery struct {
	sql, format         string
	names, values       []*byte
	nameLens, valueLens []uintptr
}

func newCQuery(sql, format string, params map[string]string) *cQuery {
	c := &cQuery{sql: sql, format: format}
	for name, value := range params {
		c.names, c.nameLens = append(c.names, cBytes(name)), append(c.nameLens, uintptr(len(name)))
		c.values, c.valueLens = append(c.values, cBytes(value)), append(c.valueLens, uintptr(len(value)))
	}
	return c
}

// call runs one of the library's query functions on conn.
func (c *cQuery) call(fn func(uintptr, *byte, uintptr, *byte, uintptr, **byte, *uintptr, **byte, *uintptr, uintptr) uintptr, conn uintptr) uintptr {
	result := fn(conn, cBytes(c.sql), uintptr(len(c.sql)), cBytes(c.format), uintptr(len(c.format)),
		unsafe.SliceData(c.names), unsafe.SliceData(c.nameLens), unsafe.SliceData(c.values), unsafe.SliceData(c.valueLens), uintptr(len(c.names)))
	runtime.KeepAlive(c)
	return result
}

// cBytes points at the bytes of s; the library refuses NULL even for no bytes.
func cBytes(s string) *byte {
	if s == "" {
		return new(byte)
	}
	return unsafe.StringData(s)
}

// goString copies a NUL-terminated string, "" for NULL.
func goString(p *byte) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(p, n))
}
