// Package kafkatest gives tests an Apache Kafka.
package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"scantrail/bench/kafka"
)

// EnvRequired turns the skip of a machine without Java or Maven into a failure.
const EnvRequired = "SCANTRAIL_REQUIRE_KAFKA"

// Start starts one broker for the length of the test. Without Java and Maven it
// skips the test, and says so on standard error.
func Start(t testing.TB) *kafka.Cluster { return StartWith(t, kafka.Options{}) }

// StartWith is Start for a cluster of any kind. Dir is a directory of the test.
func StartWith(t testing.TB, o kafka.Options) *kafka.Cluster {
	t.Helper()
	o.Dir, o.Progress = t.TempDir(), os.Stderr
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c, err := kafka.Start(ctx, o)
	Check(t, err)
	t.Cleanup(func() {
		c.Stop()
		if t.Failed() {
			for i := range c.Addrs() {
				t.Logf("log of broker %d:\n%s", i, c.Log(i, 2000))
			}
		}
	})
	t.Logf("Apache Kafka %s at %v", kafka.Version, c.Addrs())
	return c
}

// Check skips a test where err says that Java or Maven is missing, loudly, and
// ends it for any other error.
func Check(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, kafka.ErrMissing) && os.Getenv(EnvRequired) == "" {
		fmt.Fprintf(os.Stderr, "*** NOT TESTED ON APACHE KAFKA: %s: %v\n", t.Name(), err)
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
