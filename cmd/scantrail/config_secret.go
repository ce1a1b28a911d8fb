package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Secret is a password. The configuration names where it is kept, never the
// password itself: "file:" and a path, or "env:" and the name of a variable.
// Nothing that prints a Secret prints its value; only Reveal returns it.
type Secret struct {
	ref   string
	value *string // a pointer: printed as an address even where no method is called
	err   error
}

const (
	redacted       = "REDACTED"
	secretRemedy   = "write file:/path or env:NAME and keep the value there"
	maxSecretBytes = 4096
)

var errLiteralSecret = errors.New("holds the secret itself")

// setRef takes what the configuration says. A literal is not even kept, so that
// no message can show it.
func (s *Secret) setRef(ref string) {
	*s = Secret{ref: ref}
	if ref != "" && !strings.HasPrefix(ref, "file:") && !strings.HasPrefix(ref, "env:") {
		*s = Secret{err: errLiteralSecret}
	}
}

// resolve reads the value; relative paths count from dir.
func (s *Secret) resolve(dir string) {
	if s.ref == "" || s.err != nil {
		return
	}
	var value string
	if name, ok := strings.CutPrefix(s.ref, "env:"); ok {
		if value = os.Getenv(name); value == "" {
			s.err = fmt.Errorf("environment variable %s is not set", name)
			return
		}
	} else {
		path := strings.TrimPrefix(s.ref, "file:")
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
			s.ref = "file:" + path
		}
		if s.err = refuseShared(path); s.err != nil {
			return
		}
		var b []byte
		if b, s.err = readLimited(path, maxSecretBytes); s.err != nil {
			return
		}
		if value = strings.TrimRight(string(b), "\r\n"); value == "" {
			s.err = fmt.Errorf("%s is empty", path)
			return
		}
	}
	s.value = &value
}

// refuseShared reports a key or secret that every user of the machine may read.
func refuseShared(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("%s is open to every user of this machine (mode %04o): chmod o-rwx it", path, info.Mode().Perm())
	}
	return nil
}

// problem describes why the secret cannot be used, "" when it can.
func (s *Secret) problem() (what, remedy string) {
	switch {
	case s.err == nil:
		return "", ""
	case errors.Is(s.err, errLiteralSecret):
		return "holds the secret itself", secretRemedy
	case errors.Is(s.err, fs.ErrNotExist):
		return s.err.Error(), "create the file, mode 0400, with the secret in it"
	default:
		return s.err.Error(), ""
	}
}

// IsSet reports whether the configuration names a secret.
func (s Secret) IsSet() bool { return s.ref != "" || s.err != nil }

// Reveal returns the value; call it only where it is handed to a client.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

func (s Secret) String() string {
	if !s.IsSet() {
		return ""
	}
	return redacted
}

// Format redacts under every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// MarshalJSON redacts.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(s.String())), nil }

// MarshalYAML writes where the secret is kept, which the configuration also says.
func (s Secret) MarshalYAML() (any, error) { return s.ref, nil }

// LogValue redacts.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Size is a number of bytes, written as 1048576, 512KiB, 1MiB or 2GiB.
type Size int64

var sizeUnits = [...]struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}

// ParseSize reads a size with a binary unit or a plain number of bytes.
func ParseSize(s string) (Size, error) {
	digits, unit := s, int64(1)
	for _, u := range sizeUnits {
		if d, ok := strings.CutSuffix(s, u.suffix); ok {
			digits, unit = d, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, fmt.Errorf("%.40q is no size: want a number with B, KiB, MiB or GiB, such as 1MiB", s)
	}
	return Size(n * unit), nil
}

func (s Size) String() string {
	for i := 2; i >= 0; i-- {
		if u := sizeUnits[i]; s > 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalYAML writes the size with its unit.
func (s Size) MarshalYAML() (any, error) { return s.String(), nil }
