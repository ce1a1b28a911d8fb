package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"scantrail/schemas"
)

func newPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Show and change what parcels are judged by",
		Long: `A policy document says what a trail has to look like: after how many hours of
silence there is a gap, which milestones must be there, by when an order must be
shipped. It holds one policy, or several that are chosen by market, shop, lane,
carrier or product.

A change travels through the log: it is written into every partition of
parcel.events, and each partition switches when it comes to that record. Open
parcels are then judged again; what the new policy does not call for is
withdrawn. Parcels that have ended keep the policy that they ended under. No
process is restarted and no file is read by the service itself.

schemas/policies/README.md describes the language and the built-in figures.`,
		Example: `  scantrail policy list
  scantrail policy show official-us > mine.yaml
  scantrail check --policy mine.yaml
  scantrail policy apply -c scantrail.yaml mine.yaml`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newPolicyListCommand(), newPolicyShowCommand(), newPolicyApplyCommand(),
		newPolicyHolidayCommand(), newPolicyKeyCommand(), newPolicyGenerationCommand())
	return cmd
}

func newPolicyListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the built-in policies",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, b := range schemas.BuiltinPolicies() {
				fmt.Fprintf(table, "%s\t%s\n", b.Name, b.Summary)
			}
			return table.Flush()
		},
	}
}

func newPolicyShowCommand() *cobra.Command {
	var t policyTarget
	var cluster, whole bool
	cmd := &cobra.Command{
		Use:   "show [NAME|FILE|--cluster]",
		Short: "Print a policy document: a built-in one, a file, or the one in force",
		Long: `Print a policy document as it is written, the default one without an argument.
--whole prints it with everything that it extends written out, which is the form
in which it is applied.

--cluster prints the document in force. It is read from the topic ` + schemas.PolicyTopic + `,
which holds the few changes that were ever made, whatever the size of the log.`,
		Example: `  scantrail policy show economy
  scantrail policy show --whole official-uk
  scantrail policy show --cluster -c scantrail.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cluster {
				if len(args) > 0 {
					return errors.New("--cluster shows the document in force: leave the name out")
				}
				return t.show(cmd)
			}
			return showPolicy(cmd.OutOrStdout(), strings.Join(args, ""), whole)
		},
	}
	t.flags(cmd)
	cmd.Flags().BoolVar(&cluster, "cluster", false, "show the document in force")
	cmd.Flags().BoolVar(&whole, "whole", false, "write out what the document extends")
	return cmd
}

func showPolicy(w io.Writer, source string, whole bool) error {
	if source == "" {
		source = schemas.DefaultPolicyName
	}
	text, err := readPolicy(source)
	if err != nil {
		return err
	}
	if whole {
		doc, err := schemas.ParsePolicies([]byte(text))
		if err != nil {
			return fmt.Errorf("%s:\n%w", source, err)
		}
		text = doc.YAML()
	}
	_, err = io.WriteString(w, text)
	return err
}

// readPolicy returns the text of a built-in document or of a file.
func readPolicy(source string) (string, error) {
	if text, ok := schemas.BuiltinPolicyText(source); ok {
		return text, nil
	}
	raw, err := readLimited(source, schemas.MaxPolicyBytes)
	if err != nil {
		var names []string
		for _, b := range schemas.BuiltinPolicies() {
			names = append(names, b.Name)
		}
		return "", fmt.Errorf("%w; want a file or a built-in policy: %s", err, strings.Join(names, ", "))
	}
	return string(raw), nil
}

// printSelection shows which policy of a document judges what.
func printSelection(w io.Writer, doc *schemas.Policies) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range doc.List {
		fmt.Fprintf(table, "  %s\t%s\n", doc.List[i].Name, conditionOf(&doc.List[i].When))
	}
	if n := len(doc.Holidays); n > 0 {
		fmt.Fprintf(table, "  holidays\t%d\n", n)
	}
	for _, k := range doc.Keys {
		fmt.Fprintf(table, "  key\t%s until %s\n", k.Carrier, schemas.FormatTime(k.Expires))
	}
	return table.Flush()
}

// conditionOf describes a selector, such as "market GB or IE, lane CN-*".
func conditionOf(s *schemas.Selector) string {
	var parts []string
	for _, c := range conditions(s) {
		if len(c.values) > 0 {
			shown := c.values
			if len(shown) > 20 {
				shown = append(slices.Clone(shown[:20]), fmt.Sprintf("%d more", len(c.values)-20))
			}
			parts = append(parts, c.what+" "+strings.Join(shown, ", "))
		}
	}
	if parts == nil {
		return "everything else"
	}
	return strings.Join(parts, "; ")
}

type condition struct {
	what   string
	values []string
}

func conditions(s *schemas.Selector) []condition {
	return []condition{{"market", s.Markets}, {"shop", s.Shops}, {"lane", s.Lanes}, {"carrier", s.Carriers}, {"product", s.Products}}
}

// printPolicyChanges says which parcels the new document judges by another
// policy, and which policies have other figures.
func printPolicyChanges(w io.Writer, was, is *schemas.Policies) {
	var probes []probe
	for _, doc := range []*schemas.Policies{was, is} {
		for i := range doc.List {
			probes = append(probes, probesOf(&doc.List[i].When)...)
		}
	}
	seen := map[string]bool{}
	for _, p := range probes {
		before, after := p.policy(was), p.policy(is)
		if before.Name != after.Name && !seen[p.what] {
			fmt.Fprintf(w, "  %s: %s -> %s\n", p.what, before.Name, after.Name)
		}
		seen[p.what] = true
	}
	for i := range is.List {
		old := slices.IndexFunc(was.List, func(p schemas.Policy) bool { return p.Name == is.List[i].Name })
		if old >= 0 && figures(&was.List[old]) != figures(&is.List[i]) {
			fmt.Fprintf(w, "  %s: other figures\n", is.List[i].Name)
		}
	}
	if len(was.Holidays) != len(is.Holidays) {
		fmt.Fprintf(w, "  holidays: %d -> %d\n", len(was.Holidays), len(is.Holidays))
	}
	if !slices.Equal(was.Keys, is.Keys) {
		fmt.Fprintf(w, "  keys: %s -> %s\n", keysText(was.Keys), keysText(is.Keys))
	}
}

// keysText names the carriers whose keys a document states, and when they end.
func keysText(keys []schemas.FeedKeyTerm) string {
	if len(keys) == 0 {
		return "none"
	}
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k.Carrier + " until " + time.UnixMilli(k.Expires).UTC().Format(time.DateOnly)
	}
	return strings.Join(parts, ", ")
}

// figures returns what a policy demands, without whom it is for.
func figures(p *schemas.Policy) string {
	q := *p
	q.When = schemas.Selector{}
	return (&schemas.Policies{List: []schemas.Policy{q}}).YAML()
}

// probe is a parcel that some policy may judge, to compare documents by.
type probe struct {
	what                                                string
	market, shop, origin, destination, carrier, product string
}

func (p *probe) policy(doc *schemas.Policies) *schemas.Policy {
	market := p.market
	if market == "" {
		market = p.destination
	}
	return doc.Select(market, p.shop, p.origin, p.destination, p.carrier, p.product)
}

// maxProbes bounds the combinations that are tried for one policy.
const maxProbes = 200

// probesOf returns a parcel for every combination that the selector names.
func probesOf(s *schemas.Selector) []probe {
	probes := []probe{{}}
	for _, c := range conditions(s) {
		if len(c.values) == 0 {
			continue
		}
		var next []probe
		for _, p := range probes {
			for _, v := range c.values {
				if len(next) == maxProbes {
					break
				}
				next = append(next, p.with(c.what, v))
			}
		}
		probes = next
	}
	if s.IsZero() {
		probes[0].what = "everything else"
	}
	return probes
}

func (p probe) with(what, v string) probe {
	if p.what != "" {
		p.what += ", "
	}
	p.what += what + " " + v
	switch what {
	case "market":
		p.market = v
	case "shop":
		p.shop = v
	case "lane":
		from, to, _ := strings.Cut(v, "-")
		p.origin, p.destination = strings.Trim(from, "*"), strings.Trim(to, "*")
	case "carrier":
		p.carrier = v
	case "product":
		p.product = v
	}
	return p
}
