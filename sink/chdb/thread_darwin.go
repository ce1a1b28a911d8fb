//go:build !nochdb

package chdb

// threadID is not known on darwin: a cancelled query there runs to its end in
// the background unless it streams.
func threadID() int { return 0 }
