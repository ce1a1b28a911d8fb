// Command scantrail reads carriers' raw scans from Kafka, finds the parcels
// whose tracking trail breaks, and keeps everything in ClickHouse.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := interruptible()
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	if !errors.Is(err, errSaid) && !errors.Is(err, errProblems) {
		fmt.Fprintln(os.Stderr, "scantrail:", err)
	}
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		os.Exit(coded.ExitCode())
	}
	os.Exit(1)
}

// errSaid is returned by a command that has already printed what is wrong.
var errSaid = errors.New("failed")

// interruptible returns a context that ends at the first Ctrl-C or SIGTERM, so
// that everything flushes and leaves its group; the second one exits at once.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "\nstopping: flushing and leaving the groups; once more to exit at once")
		cancel()
		<-signals
		os.Exit(130)
	}()
	return ctx, cancel
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "scantrail",
		Short: "Tracking trails of parcels: gaps and missing milestones found in time",
		Long: `Scantrail reads every carrier's raw scans from Kafka, turns them into one trail
per parcel, finds the parcels whose trail breaks while there is time to act, and
keeps everything in ClickHouse.

To see it at work on this machine, with nothing else installed:

  scantrail demo --for 60s`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		newDemoCommand(),
		newRunCommand(),
		newCheckCommand(loadMappings),
		newMigrateCommand(),
		newAuditCommand(),
		newNormalizeCommand(),
		newDetectCommand(),
		newCarrierCommand(),
		newPolicyCommand(),
		newOrdersCommand(),
		newScansCommand(),
		newAlertsCommand(),
		newReplayCommand(),
		newSimulateCommand(),
		newClickHouseCommand(),
		newHealthcheckCommand(),
		newBenchCommand(),
	)
	return root
}
