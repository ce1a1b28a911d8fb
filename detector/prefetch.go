//go:build amd64 || arm64

package detector

import "unsafe"

// prefetch asks for the cache line of p and does not wait for it. An ordinary read
// would do the same, but the processor finishes its instructions in order: behind a
// few reads that wait it can begin no others.
//
//go:noescape
func prefetch(p unsafe.Pointer)
