// Package proc holds what tests and benchmarks share that run real processes on
// loopback: addresses, the binary of this tree, children that end with their
// parent, and a connection that can be cut.
package proc
