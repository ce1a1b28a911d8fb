package proc

import (
	"io"
	"net"
	"sync"
)

// Proxy forwards connections to an address, and can be cut.
type Proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

// NewProxy listens on loopback until Close.
func NewProxy(target string) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: ln, target: target, conns: map[net.Conn]bool{}}
	go p.accept()
	return p, nil
}

// Addr is where it listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close ends it and all its connections.
func (p *Proxy) Close() {
	p.listener.Close() //nolint:errcheck // ends accept
	p.Cut()
}

// Cut closes every connection and refuses new ones until Mend.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for c := range p.conns {
		c.Close() //nolint:errcheck // cut is cut
	}
}

// Mend ends a cut.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.forward(c)
	}
}

func (p *Proxy) forward(c net.Conn) {
	defer c.Close() //nolint:errcheck // the other side is gone
	up, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer up.Close() //nolint:errcheck // as above
	if !p.add(c, up) {
		return
	}
	defer p.remove(c, up)
	go func() {
		io.Copy(up, c) //nolint:errcheck // ends with either side
		up.Close()     //nolint:errcheck // as above
	}()
	io.Copy(c, up) //nolint:errcheck // ends with either side
}

func (p *Proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return false
	}
	for _, c := range conns {
		p.conns[c] = true
	}
	return true
}

func (p *Proxy) remove(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}
