package web

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is one that follows its files: whoever renews them need not
// restart anything.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]fileState
	looked  time.Time
}

type fileState struct {
	modified time.Time
	size     int64
}

// certificateEvery is how often handshakes look at the files at most.
const certificateEvery = time.Second

func newCertificate(o Options) (*certificate, error) {
	c := &certificate{certFile: o.CertFile, keyFile: o.KeyFile, log: o.Log, now: o.Now}
	seen, _ := c.state()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, err
	}
	c.current, c.seen, c.looked = &pair, seen, c.now()
	return c, nil
}

func (c *certificate) state() (s [2]fileState, err error) {
	for i, path := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			return s, err
		}
		s[i] = fileState{info.ModTime(), info.Size()}
	}
	return s, nil
}

// get returns the certificate for a handshake. Files that do not fit together,
// as between the writing of one and the other, leave the old one in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.looked) >= certificateEvery {
		c.looked = now
		c.reload()
	}
	return c.current, nil
}

func (c *certificate) reload() {
	seen, err := c.state()
	if err == nil && seen == c.seen {
		return
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.certFile, c.keyFile)
	}
	if err != nil {
		// Said once for each state of the files.
		if seen != c.seen {
			c.log.Warn("the certificate has changed and cannot be read; the former one stays in use", "err", err, "remedy", "check web.tls.cert_file and web.tls.key_file")
			c.seen = seen
		}
		return
	}
	c.current, c.seen = &pair, seen
	c.log.Info("read the new certificate", "file", c.certFile)
}
