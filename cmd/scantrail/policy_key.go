package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"scantrail/schemas"
)

func newPolicyKeyCommand() *cobra.Command {
	var t policyTarget
	var k schemas.FeedKeyTerm
	var issued, expires string
	cmd := &cobra.Command{
		Use:   "key --carrier C --issued TIME|--expires TIME",
		Short: "Say how long the key of a carrier's feed lasts",
		Long: `Put the term of a carrier's key into the document in force and apply it. 14 days
before the key ends, feed_stale:key_expiring opens; it is resolved by the term of a
later key, which replaces this one. A key lasts 90 days unless --expires says
otherwise. Only its term is told, never the key itself.

A time is RFC 3339, or a date, which begins at midnight UTC.`,
		Example: `  scantrail policy key --carrier usps --issued 2027-02-01
  scantrail policy key --carrier yanwen --expires 2027-12-31 --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := readKey(&k, issued, expires); err != nil {
				return err
			}
			return t.change(cmd, func(last *control) (schemas.Control, error) { return withKey(last, k) })
		},
	}
	t.changeFlags(cmd)
	cmd.Flags().StringVar(&k.Carrier, "carrier", "", "carrier whose feed the key opens, as in scans.raw.CARRIER")
	cmd.Flags().StringVar(&issued, "issued", "", "when it was issued")
	cmd.Flags().StringVar(&expires, "expires", "", "when it ends (default: 90 days after --issued)")
	return cmd
}

// readKey completes k and reports everything that is wrong with the flags.
func readKey(k *schemas.FeedKeyTerm, issued, expires string) error {
	var errs []error
	for _, f := range []struct {
		flag, text string
		dst        *int64
	}{{"--issued", issued, &k.Issued}, {"--expires", expires, &k.Expires}} {
		if f.text == "" {
			continue
		}
		var err error
		if *f.dst, err = schemas.ParsePolicyTime(f.text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w; want a date such as 2027-02-01 or a time such as 2027-02-01T00:00:00+08:00", f.flag, err))
		}
	}
	if len(errs) == 0 {
		k.FillIn()
		for _, p := range k.Problems() {
			errs = append(errs, fmt.Errorf("--%s: %s; want %s", p.Field, p.What, p.Want))
		}
	}
	return errors.Join(errs...)
}

// withKey returns the control in force with this key in the place of what the
// document says of the carrier's; the same one where it says that already.
func withKey(last *control, k schemas.FeedKeyTerm) (schemas.Control, error) {
	doc, err := schemas.ParsePolicies([]byte(last.Policy))
	if err != nil {
		return schemas.Control{}, fmt.Errorf("the document in force cannot be read by this version of scantrail; apply one first:\n%w", err)
	}
	if !slices.Contains(doc.Keys, k) {
		doc.Keys = slices.DeleteFunc(doc.Keys, func(o schemas.FeedKeyTerm) bool { return o.Carrier == k.Carrier })
		doc.Keys = append(doc.Keys, k)
	}
	next := last.Control
	next.Policy = doc.YAML()
	return next, nil
}
