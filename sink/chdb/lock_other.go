//go:build !unix

package chdb

import "context"

// lockFile does nothing where there is no flock; Locate finds no library for
// these platforms anyway.
func lockFile(context.Context, string) (unlock func(), err error) { return func() {}, nil }
