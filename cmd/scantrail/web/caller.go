// Package web is the one listener of Scantrail that people and other systems
// reach: the console, the API and the push receiver. It decides who may come in
// (loopback, TLS, tokens); what they see there is decided by the handlers, which
// ask CallerOf.
package web

import (
	"context"
	"slices"
)

// Role says what a caller may do.
type Role string

// The roles. A caller without a token on a loopback listener is an operator.
const (
	Viewer   Role = "viewer"   // reads everything
	Operator Role = "operator" // and handles alerts, replays dead letters, runs the audit
	Seller   Role = "seller"   // reads the API for its own shops
	Push     Role = "push"     // writes raw scans of its own carriers
)

// Caller is who sent a request.
type Caller struct {
	Name     string // of the token, as in the configuration; "local" without one
	Role     Role
	Shops    []string // of a Seller
	Carriers []string // of Push
}

// MayHandle reports whether the caller may change anything.
func (c Caller) MayHandle() bool { return c.Role == Operator }

// MaySeeAll reports whether the caller reads every shop.
func (c Caller) MaySeeAll() bool { return c.Role == Operator || c.Role == Viewer }

// MaySee reports whether the caller reads what belongs to a shop. What belongs to
// no shop is for those alone who see all.
func (c Caller) MaySee(shop string) bool {
	return c.MaySeeAll() || c.Role == Seller && shop != "" && slices.Contains(c.Shops, shop)
}

// MayPush reports whether the caller may write raw scans of a carrier.
func (c Caller) MayPush(carrier string) bool {
	return c.Role == Operator || c.Role == Push && slices.Contains(c.Carriers, carrier)
}

type callerKey struct{}

// WithCaller notes in a request's context who sent it.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns who sent a request; without WithCaller, somebody who may do
// nothing.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
