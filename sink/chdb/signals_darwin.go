//go:build !nochdb

package chdb

// signals is empty on darwin: libchdb is told not to touch any handler
// (chdb_set_signal_handlers_enabled), and nothing else is done about it there.
type signals struct{}

func saveSignals() *signals { return &signals{} }

func (*signals) restore() (changed int) { return 0 }
