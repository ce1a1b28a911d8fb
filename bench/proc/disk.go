package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Disk is a file system of limited size, in memory, that only its own processes
// see: it is mounted in a namespace of its own, for which Linux asks no privilege.
type Disk struct {
	dir    string    // where it is mounted
	holder *exec.Cmd // keeps the namespace while no other process is in it
}

// NewDisk mounts a file system of so many MiB at dir, which must exist. It needs
// unshare, nsenter and mount (util-linux), and a kernel that lets its user have
// namespaces.
func NewDisk(dir string, mib int) (*Disk, error) {
	const script = `mount -t tmpfs -o size="$2"m scantrail-disk "$1" && echo mounted && exec sleep infinity`
	holder := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", dir, fmt.Sprint(mib))
	holder.SysProcAttr = DiesWithParent()
	var said strings.Builder
	holder.Stderr = &said
	out, err := holder.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := holder.Start(); err != nil {
		return nil, fmt.Errorf("a file system of limited size: %w", err)
	}
	if n, err := out.Read(make([]byte, 16)); n == 0 {
		holder.Wait() //nolint:errcheck // what it said tells more
		return nil, fmt.Errorf("a file system of limited size cannot be mounted here: %s (%w)", strings.TrimSpace(said.String()), err)
	}
	return &Disk{dir: dir, holder: holder}, nil
}

// Command returns the arguments that run a command where the disk is.
func (d *Disk) Command(args ...string) []string {
	return append([]string{"nsenter", "--target", fmt.Sprint(d.holder.Process.Pid), "--user", "--mount", "--preserve-credentials"}, args...)
}

// Path is the disk's directory as processes elsewhere reach it, this one too.
func (d *Disk) Path() string {
	return filepath.Join(fmt.Sprintf("/proc/%d/root", d.holder.Process.Pid), d.dir)
}

func (d *Disk) ballast() string { return filepath.Join(d.Path(), "somebody-elses-file") }

// Fill leaves no room on the disk. What others free of it afterwards stays free
// until the next call.
func (d *Disk) Fill() error {
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("filling a disk: %w", err)
	}
	defer f.Close() //nolint:errcheck // a full disk is what it is for
	chunk := make([]byte, 1<<20)
	for size := len(chunk); size > 0; {
		if _, err := f.Write(chunk[:size]); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			return fmt.Errorf("filling a disk: %w", err)
		}
	}
	return nil
}

// Free makes the room again that Fill took.
func (d *Disk) Free() error {
	if err := os.Remove(d.ballast()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("making room: %w", err)
	}
	return nil
}

// Close lets go of the disk: it is gone once no process is left on it.
func (d *Disk) Close() {
	d.holder.Process.Signal(syscall.SIGKILL) //nolint:errcheck // it has ended already
	done := make(chan struct{})
	go func() { d.holder.Wait(); close(done) }() //nolint:errcheck // that it ended is what counts
	select {
	case <-done:
	case <-time.After(5 * time.Second):
	}
}
