package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"scantrail/bench/proc"
)

// process is a program of ours, or of a peer.
type process struct {
	name     string
	log      string
	cmd      *exec.Cmd
	consumed atomic.Int64 // N of the last line "consumed N"
	ended    chan struct{}
	err      error // how it ended; after ended
}

// startProcess starts a program that ends with this one. What it prints goes to
// a file, but for lines "consumed N".
func startProcess(dir, name string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	p.cmd.Stderr, p.cmd.SysProcAttr = out, proc.DiesWithParent()
	stdout, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		out.Close() //nolint:errcheck // it is empty
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		defer out.Close() //nolint:errcheck // a log
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			n, found := strings.CutPrefix(lines.Text(), "consumed ")
			if count, err := strconv.ParseInt(n, 10, 64); found && err == nil {
				p.consumed.Store(count)
				continue
			}
			fmt.Fprintln(out, lines.Text())
		}
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// failure is the end of a process that it is not entitled to.
func (p *process) failure() error {
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("%s ended: %w\n%s", p.name, p.err, p.tail(3000))
		}
	default:
	}
	return nil
}

// end asks the process to stop, and waits for it.
func (p *process) end(s syscall.Signal) {
	p.cmd.Process.Signal(s) //nolint:errcheck // it has ended already
	<-p.ended
}

func (p *process) tail(n int) string {
	out, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(out[max(0, len(out)-n):])
}
