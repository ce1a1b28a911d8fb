package chdb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxLibrary bounds what is unpacked: three times today's library.
const maxLibrary = 2 << 30

// unpack writes the library inside an npm tarball to dst, and checks both
// against the pinned hashes.
func (f fetcher) unpack(tarball, dst string) error {
	in, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer in.Close()
	whole := sha512.New()
	src := io.TeeReader(in, whole)
	if err := f.unpackTar(src, dst); err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	if _, err := io.Copy(io.Discard, src); err != nil {
		return err
	}
	if got := base64.StdEncoding.EncodeToString(whole.Sum(nil)); f.rel.tarballSHA != "" && got != f.rel.tarballSHA {
		return fmt.Errorf("the package has SHA-512 %s instead of %s: it is not the one that was tested", got, f.rel.tarballSHA)
	}
	return nil
}

func (f fetcher) unpackTar(src io.Reader, dst string) error {
	zr, err := gzip.NewReader(src)
	if err != nil {
		return err
	}
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return errors.New("no package/libchdb.so inside")
		}
		if err != nil {
			return err
		}
		if h.Name == "package/libchdb.so" {
			return f.writeLibrary(tr, h.Size, dst)
		}
	}
}

func (f fetcher) writeLibrary(src io.Reader, size int64, dst string) error {
	if size > maxLibrary {
		return fmt.Errorf("libchdb.so has %d bytes, more than the limit %d", size, int64(maxLibrary))
	}
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	fmt.Fprintf(f.progress, "libchdb: unpacking %d MiB\n", size>>20)
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), src)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	return checkHash(sum, f.rel.librarySHA)
}

func checkHash(sum hash.Hash, want string) error {
	if got := hex.EncodeToString(sum.Sum(nil)); want != "" && got != want {
		return fmt.Errorf("libchdb.so has SHA-256 %s instead of %s: it is not the one that was tested", got, want)
	}
	return nil
}

// checkLibrary tells whether path is a shared library of the expected size (0 =
// any). It reads four bytes only: hashing half a gigabyte at every start would
// cost more than the start itself.
func checkLibrary(path string, size int64) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no such file")
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("is a directory, not a file")
	}
	if size != 0 && info.Size() != size {
		return fmt.Errorf("has %d bytes instead of %d", info.Size(), size)
	}
	magic := make([]byte, 4)
	if _, err := io.ReadFull(file, magic); err != nil {
		return errors.New("is not a shared library (too short)")
	}
	for _, m := range []string{"\x7fELF", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe"} { // ELF, Mach-O 64-bit, Mach-O universal
		if bytes.Equal(magic, []byte(m)) {
			return nil
		}
	}
	return errors.New("is not a shared library (neither ELF nor Mach-O)")
}

func join(args []string) string { return strings.Join(args, " ") }
