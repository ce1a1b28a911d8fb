package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"scantrail/bench/proc"
)

// process is one program that is started again after each of its deaths.
type process struct {
	name string
	args []string
	log  string

	mu       sync.Mutex
	cmd      *exec.Cmd
	ended    chan struct{}
	expected bool  // that it ends
	failed   error // it ended on its own
}

func newProcess(dir, name string, args ...string) *process {
	return &process{name: name, args: args, log: filepath.Join(dir, name+".log")}
}

func (p *process) start() error {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // the process has its own descriptor
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = proc.DiesWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	ended := make(chan struct{})
	p.mu.Lock()
	p.cmd, p.ended, p.expected = cmd, ended, false
	p.mu.Unlock()
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		if !p.expected {
			p.failed = fmt.Errorf("%s ended on its own: %v\n%s", p.name, err, p.tail(2000))
		}
		p.mu.Unlock()
		close(ended)
	}()
	return nil
}

// signal sends a signal after which the process goes on.
func (p *process) signal(s syscall.Signal) {
	p.cmd.Process.Signal(s) //nolint:errcheck // err says that it has ended, which failed tells
}

// end sends a signal after which the process ends, and waits for it.
func (p *process) end(s syscall.Signal) {
	p.mu.Lock()
	p.expected = true
	ended := p.ended
	p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Signal(s) //nolint:errcheck // it has ended already
	<-ended
}

// pid is that of the life which began last.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

func (p *process) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

func (p *process) tail(n int) string {
	out, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(out[max(0, len(out)-n):])
}
