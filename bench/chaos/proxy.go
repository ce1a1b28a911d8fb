package main

import (
	"io"
	"net"
	"sync"
)

// proxy forwards connections to an address, and can be cut.
type proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

func newProxy(target string) (*proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: ln, target: target, conns: map[net.Conn]bool{}}
	go p.accept()
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) close() {
	p.listener.Close() //nolint:errcheck // ends accept
	p.cut()
}

// cut closes every connection and refuses new ones until mend.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for c := range p.conns {
		c.Close() //nolint:errcheck // cut is cut
	}
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.forward(c)
	}
}

func (p *proxy) forward(c net.Conn) {
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

func (p *proxy) add(conns ...net.Conn) bool {
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

func (p *proxy) remove(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}
