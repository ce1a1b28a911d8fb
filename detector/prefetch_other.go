//go:build !amd64 && !arm64

package detector

import "unsafe"

// prefetch does nothing here: all works as well, but slower.
func prefetch(unsafe.Pointer) {}
