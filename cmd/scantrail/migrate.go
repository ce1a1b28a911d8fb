package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/spf13/cobra"

	"scantrail/sink"
	"scantrail/sink/access"
)

// migrateFlags are those of scantrail migrate.
type migrateFlags struct {
	config                string
	withRoles, back, show bool
}

func newMigrateCommand() *cobra.Command {
	var f migrateFlags
	cmd := &cobra.Command{
		Use:   "migrate [-c scantrail.yaml]",
		Short: "Create or update the ClickHouse database, tables and views",
		Long: `Create or update the database, tables and views in ClickHouse, and how long rows
stay. Safe to repeat, on several machines at once, and while the service runs: no
statement rewrites rows.

A schema that a newer release has been at is refused. --back puts the older views
over the newer ones; tables are never taken back.

--with-roles also makes the roles, row policies, quotas and the settings profile of
schemas/clickhouse/ACCESS.md. It needs a user who may manage access, and has to be
repeated after an upgrade that brought new views.`,
		Example: `  scantrail migrate -c scantrail.yaml
  scantrail migrate -c scantrail.yaml --with-roles
  scantrail migrate -c scantrail.yaml --show-roles   # the statements alone, for an administrator`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMigrate(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration file; without it the defaults")
	cmd.Flags().BoolVar(&f.withRoles, "with-roles", false, "make roles, row policies, quotas and the settings profile too")
	cmd.Flags().BoolVar(&f.show, "show-roles", false, "print the statements of --with-roles for this database and change nothing")
	cmd.Flags().BoolVar(&f.back, "back", false, "put the views of this release over those of a newer one")
	cmd.MarkFlagsMutuallyExclusive("show-roles", "with-roles")
	cmd.MarkFlagsMutuallyExclusive("show-roles", "back")
	return cmd
}

func runMigrate(ctx context.Context, f migrateFlags, stdout io.Writer) error {
	cfg := DefaultConfig()
	if f.config != "" {
		var err error
		if cfg, err = LoadConfig(f.config); err != nil {
			return err
		}
	}
	o := sinkOptions(cfg)
	conn, err := sink.Open(o)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is under way
	roles := access.Options{Database: cfg.ClickHouse.Database, Cluster: cfg.ClickHouse.Cluster}
	if f.show {
		return showRoles(ctx, conn, roles, stdout)
	}
	if err := sink.EnsureDatabase(ctx, o); err != nil {
		return err
	}
	applied, err := sink.Migrate(ctx, conn, sink.MigrateOptions{
		Cluster: cfg.ClickHouse.Cluster, Lifecycle: lifecycle(cfg), Back: f.back, Now: time.Now(),
	})
	for _, name := range applied {
		fmt.Fprintln(stdout, "applied", name)
	}
	if err != nil {
		return err
	}
	if len(applied) == 0 {
		fmt.Fprintln(stdout, "nothing to do: the schema is up to date")
	}
	if !f.withRoles {
		return nil
	}
	n, err := access.Apply(ctx, conn, roles)
	if err == nil {
		fmt.Fprintf(stdout, "applied roles: %d statements\n", n)
	}
	return err
}

func showRoles(ctx context.Context, conn driver.Conn, o access.Options, stdout io.Writer) error {
	statements, err := access.Statements(ctx, conn, o)
	for _, s := range statements {
		fmt.Fprintf(stdout, "%s;\n", s)
	}
	return err
}

// lifecycle returns how long rows stay, from the configuration.
func lifecycle(cfg *Config) sink.Lifecycle {
	ch := cfg.ClickHouse
	return sink.Lifecycle{
		ScanDays: ch.KeepDays.Scans, TextDays: ch.KeepDays.ScanTexts, TransitionDays: ch.KeepDays.AlertTransitions,
		DeadLetterDays: ch.KeepDays.DeadLetters, RawDays: rawCopyOptions(cfg).Days,
		StoragePolicy: ch.StoragePolicy, ColdVolume: ch.ColdVolume, ColdDays: ch.ColdAfterDays,
	}
}
