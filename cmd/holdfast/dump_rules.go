package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"
)

func newDumpRules() *cobra.Command {
	var dsn string
	cmd := &cobra.Command{
		Use:   "dump-rules",
		Short: "Write all assertions of a database as SQL",
		Long: `Write the statements that make all assertions of a database again: CREATE ASSERTION with every name qualified,
COMMENT ON, and ALTER ASSERTION .. DISABLE for those that are disabled. All of it is of one moment. Tables and views
are not written: load them first. A rule that is NOT VALID is written as such, so that loading it checks nothing.`,
		Example: "  holdfast dump-rules --dsn postgres://postgres@127.0.0.1:5433/postgres > rules.sql",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return dumpRules(ctx, cmd.OutOrStdout(), dsn)
		},
	}
	cmd.Flags().StringVar(&dsn, "dsn", "postgres://postgres@127.0.0.1:5433/postgres", "the server whose assertions are written")
	return cmd
}

// dumpRules writes to out only when it has read everything.
func dumpRules(ctx context.Context, out io.Writer, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	rows, err := conn.Query(ctx, "SELECT schemaname, assertionname, definition, enabled, comment FROM holdfast_assertions ORDER BY 1, 2")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("-- Assertions, as dump-rules of Holdfast writes them.\n")
	var schema, name, definition string
	var enabled bool
	var comment *string
	_, err = pgx.ForEachRow(rows, []any{&schema, &name, &definition, &enabled, &comment}, func() error {
		qualified := pgx.Identifier{schema, name}.Sanitize()
		fmt.Fprintf(&b, "\n%s;\n", definition)
		if !enabled {
			fmt.Fprintf(&b, "ALTER ASSERTION %s DISABLE;\n", qualified)
		}
		if comment != nil {
			fmt.Fprintf(&b, "COMMENT ON ASSERTION %s IS %s;\n", qualified, sqlString(*comment))
		}
		return nil
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "42P01" {
		return fmt.Errorf("%s is no Holdfast server: %w", conn.Config().Host, err)
	}
	if err != nil {
		return err
	}
	_, err = out.Write(b.Bytes())
	return err
}

// sqlString is a text as a literal that means the same whatever standard_conforming_strings is.
func sqlString(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}
