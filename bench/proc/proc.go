package proc

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"time"
)

// FreeAddr returns a loopback address whose port is free now.
func FreeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close() //nolint:errcheck // it was only asked for its port
	return ln.Addr().String(), nil
}

// Build builds scantrail as it is in this tree, into dir.
func Build(ctx context.Context, dir string) (path string, err error) {
	path = filepath.Join(dir, "scantrail")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "scantrail/cmd/scantrail").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build, which needs the repository as current directory: %w\n%s", err, out)
	}
	return path, nil
}

// Pause waits, or returns why ctx has ended.
func Pause(ctx context.Context, wait time.Duration) error {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
