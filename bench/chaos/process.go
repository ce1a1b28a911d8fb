package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"scantrail/bench/proc"
)

// process is one program that is started again after each of its deaths.
type process struct {
	name string
	args []string
	log  string

	mu      sync.Mutex
	cmd     *exec.Cmd
	began   time.Time
	ended   chan struct{}
	asked   syscall.Signal // to end; 0: nobody did
	askedAt time.Time
	slowest time.Duration // of its ends in order
	failed  error         // it ended on its own, or not in order
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
	p.cmd, p.began, p.ended, p.asked = cmd, time.Now(), ended, 0
	p.mu.Unlock()
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.failed = errors.Join(p.failed, p.judge(err))
		close(ended)
	}()
	return nil
}

// inOrder is how long a service may take from SIGTERM to its end: what an
// orchestrator waits for by default.
const inOrder = 30 * time.Second

// deaf is how long a process that has just been started may die of SIGTERM, which it
// does not handle yet.
const deaf = 2 * time.Second

// judge says what is wrong with an end. mu is held.
func (p *process) judge(err error) error {
	took := time.Since(p.askedAt)
	switch {
	case p.asked == 0:
		return fmt.Errorf("%s ended on its own: %v\n%s", p.name, err, p.tail(2000))
	case p.asked != syscall.SIGTERM, p.askedAt.Sub(p.began) < deaf && died(err, syscall.SIGTERM):
		return nil
	case err != nil || took > inOrder:
		return fmt.Errorf("%s did not end in order after SIGTERM: %v, %s\n%s", p.name, err, took, p.tail(2000))
	}
	p.slowest = max(p.slowest, took)
	return nil
}

// died reports whether a signal ended a process.
func died(err error, of syscall.Signal) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == of
}

// signal sends a signal after which the process goes on.
func (p *process) signal(s syscall.Signal) {
	p.cmd.Process.Signal(s) //nolint:errcheck // err says that it has ended, which failed tells
}

// end sends a signal after which the process ends, and waits for it.
func (p *process) end(s syscall.Signal) {
	p.mu.Lock()
	p.asked, p.askedAt = s, time.Now()
	ended := p.ended
	p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Signal(s) //nolint:errcheck // it has ended already
	<-ended
}

// again ends the process by a signal and starts it again.
func (p *process) again(s syscall.Signal) error {
	p.end(s)
	return p.start()
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

// slowestEnd is the longest time that SIGTERM took.
func (p *process) slowestEnd() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slowest
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
