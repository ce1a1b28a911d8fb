package kafka

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Version of Apache Kafka, as in pom.xml.
const Version = "4.3.1"

// ErrMissing says that Java or Maven is not installed.
var ErrMissing = errors.New("not installed")

//go:embed pom.xml
var pom []byte

// Jars returns the class path of a broker. It fetches the jars through Maven
// when they are not in the user's cache directory yet, and tells progress so.
// The error is ErrMissing where java or mvn is not there.
func Jars(ctx context.Context, progress io.Writer) (classpath string, err error) {
	return MavenJars(ctx, pom, fmt.Sprintf("Apache Kafka %s, 44 MiB,", Version), progress)
}

// MavenJars returns the class path of all that a pom.xml depends on, from the
// user's cache directory or, once, through Maven. what names it in messages.
func MavenJars(ctx context.Context, pom []byte, what string, progress io.Writer) (classpath string, err error) {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("%s: %w (packages default-jre-headless and maven of your system)", tool, ErrMissing)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory for jars: %w; set HOME", err)
	}
	sum := sha256.Sum256(pom)
	dir := filepath.Join(cache, "scantrail", "jars", hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(dir); err == nil {
		return filepath.Join(dir, "*"), nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := os.WriteFile(filepath.Join(tmp, "pom.xml"), pom, 0o644); err != nil {
		return "", err
	}
	fmt.Fprintf(progress, "fetching %s through Maven, once, into %s\n", what, dir)
	began := time.Now()
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars", "-DincludeScope=runtime")
	cmd.Dir, cmd.WaitDelay = tmp, 5*time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: mvn dependency:copy-dependencies: %w\n%s", what, err, out.Bytes()[max(0, out.Len()-2000):])
	}
	// Several processes may fetch at once: the first to end wins.
	if err := os.Rename(filepath.Join(tmp, "jars"), dir); err != nil && !os.IsExist(err) {
		if _, statErr := os.Stat(dir); statErr != nil {
			return "", err
		}
	}
	fmt.Fprintf(progress, "%s ready after %.0f s\n", what, time.Since(began).Seconds())
	return filepath.Join(dir, "*"), nil
}
