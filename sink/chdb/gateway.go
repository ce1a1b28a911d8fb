package chdb

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// displayName is what the gateway calls itself to clients.
const displayName = "scantrail-embedded"

// DefaultMaxBody is the largest request body by default, in bytes, before and
// after decompression: 2 GiB.
const DefaultMaxBody = 2 << 30

// GatewayOptions tune NewGateway. The zero value lets everyone in.
type GatewayOptions struct {
	// User and Password are asked of every request, by HTTP Basic, the headers
	// X-ClickHouse-User and X-ClickHouse-Key, or the parameters user and
	// password, when Password is not empty. An empty User means "default".
	User, Password string
	// MaxBody limits a body in bytes; 0 means DefaultMaxBody.
	MaxBody int64
	// LocalOnly refuses requests whose Host is a name other than localhost: a
	// foreign web page that has its own name resolve to this machine.
	LocalOnly bool
	// Log receives one debug line per query; nil discards it.
	Log *slog.Logger
}

// NewGateway speaks ClickHouse's HTTP interface for engine. It handles /ping and
// /; it does not close the engine.
func NewGateway(engine *Engine, opts GatewayOptions) http.Handler {
	if opts.MaxBody <= 0 {
		opts.MaxBody = DefaultMaxBody
	}
	if opts.User == "" {
		opts.User = "default"
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &gateway{engine: engine, opts: opts, origin: http.NewCrossOriginProtection()}
}

type gateway struct {
	engine *Engine
	opts   GatewayOptions
	origin *http.CrossOriginProtection
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/ping", r.URL.Path == "/" && r.Method == http.MethodGet && r.URL.Query().Get("query") == "":
		_, _ = io.WriteString(w, "Ok.\n")
	case r.URL.Path != "/":
		http.Error(w, "There is no handle "+r.URL.Path+"\n\nUse / or /ping.", http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "Use GET or POST.", http.StatusMethodNotAllowed)
	default:
		g.serveQuery(w, r)
	}
}

func (g *gateway) serveQuery(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	queryID := first(r.URL.Query().Get("query_id"), newQueryID())
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{})   // left over from the last request of this connection
	defer control.SetWriteDeadline(time.Time{}) //nolint:errcheck // as above
	if err := g.admit(r); err != nil {
		newResponse(w, nil, queryID, g.engine.Timezone()).fail(err, g.engine.Version())
		return
	}
	req, err := parseRequest(w, r, g.opts.MaxBody)
	if err != nil {
		newResponse(w, nil, queryID, g.engine.Timezone()).fail(asException(err), g.engine.Version())
		return
	}
	res := newResponse(w, req, queryID, g.engine.Timezone())
	stats, err := g.answer(r, req, res)
	g.opts.Log.Debug("clickhouse query", "query_id", queryID, "statement", req.st.first, "database", req.query.Database,
		"read_rows", stats.ReadRows, "written_rows", stats.WrittenRows, "duration", time.Since(started), "error", err)
	if err == nil {
		res.finish(stats)
		return
	}
	if req.body.err != nil {
		err = bodyError(req.body.err)
	} else {
		drain(req.data)
	}
	res.fail(asException(err), g.engine.Version())
}

// bodyError says that it was the body, and not the query, that failed.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	var known *Exception
	if errors.As(err, &tooLarge) || errors.As(err, &known) {
		return err
	}
	return &Exception{Code: codeCannotDecompress, Message: fmt.Sprintf("Cannot read the request's body: %v. (CANNOT_DECOMPRESS)", err)}
}

func (g *gateway) answer(r *http.Request, req *request, res *response) (Stats, error) {
	if req.hello {
		return Stats{}, g.hello(req, res)
	}
	if req.data != nil {
		return g.engine.Insert(r.Context(), req.query, req.data)
	}
	req.query.SQL = trimSemicolon(req.query.SQL)
	return g.engine.Query(r.Context(), req.query, res)
}

// hello answers clickhouse-go's handshake. The client reads this one block at
// its own protocol version and all later ones at the revision that it names: 0,
// at which a block is what the engine writes for FORMAT Native.
func (g *gateway) hello(req *request, res *response) error {
	column := func(value string) *proto.ColStr {
		c := new(proto.ColStr)
		c.Append(value)
		return c
	}
	revision := proto.ColUInt32{0}
	var buf proto.Buffer
	block := proto.Block{Info: proto.BlockInfo{BucketNum: -1}, Columns: 4, Rows: 1}
	err := block.EncodeBlock(&buf, req.protocol, []proto.InputColumn{
		{Name: "displayName()", Data: column(displayName)},
		{Name: "version()", Data: column(g.engine.Version())},
		{Name: "revision()", Data: &revision},
		{Name: "timezone()", Data: column(g.engine.Timezone())},
	})
	if err != nil {
		return err
	}
	_, err = res.Write(buf.Buf)
	return err
}

// admit checks who asks, and from where.
func (g *gateway) admit(r *http.Request) *Exception {
	if g.opts.Password != "" {
		return g.authenticate(r)
	}
	if g.opts.LocalOnly && !localHost(r.Host) {
		return &Exception{Code: codeAuthFailed, Message: fmt.Sprintf("Host %q is not this machine; connect to localhost, or set a password. (AUTHENTICATION_FAILED)", r.Host)}
	}
	if err := g.origin.Check(r); err != nil {
		return &Exception{Code: codeAuthFailed, Message: fmt.Sprintf("%v; set a password to allow this. (AUTHENTICATION_FAILED)", err)}
	}
	return nil
}

// authenticate compares hashes, in a time that tells nothing of the password.
func (g *gateway) authenticate(r *http.Request) *Exception {
	params := r.URL.Query()
	user := first(r.Header.Get("X-ClickHouse-User"), params.Get("user"))
	password := first(r.Header.Get("X-ClickHouse-Key"), params.Get("password"))
	if u, p, ok := r.BasicAuth(); ok {
		user, password = u, p
	}
	user = first(user, "default")
	haveUser, haveKey := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	wantUser, wantKey := sha256.Sum256([]byte(g.opts.User)), sha256.Sum256([]byte(g.opts.Password))
	if subtle.ConstantTimeCompare(haveUser[:], wantUser[:])&subtle.ConstantTimeCompare(haveKey[:], wantKey[:]) == 1 {
		return nil
	}
	return &Exception{Code: codeAuthFailed, Message: "Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)"}
}

// localHost tells whether a Host header names this machine by address or as
// localhost, which no foreign page can.
func localHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return host == "localhost" || net.ParseIP(host) != nil
}
