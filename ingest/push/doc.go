// Package push receives what carriers and aggregators push over HTTP: the body of
// POST /v1/scans/{carrier}, as it is, becomes one raw record on
// scans.raw.{carrier}, where ingest reads it like any other.
//
// The answer is 2xx only once Kafka has acknowledged the record on all in-sync
// replicas, so that a sender that repeats what was not answered loses nothing. What
// arrives twice by that is the same fact twice, which counts once.
//
// Nothing from outside is believed or kept without limit: a body is verified by its
// carrier's signature or its caller's token, bounded in size and in the time that
// it takes to come, and counted against what all requests together may hold until
// Kafka has acknowledged them. Beyond that a sender is told to come back later.
package push
