package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// plainYAML are strings that YAML reads as they stand.
var plainYAML = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)

// inYAML writes a string so that YAML gives it back.
func inYAML(s string) string {
	if plainYAML.MatchString(s) && !has([]string{strings.ToLower(s)}, "true false null yes no on off y n") || s == "." {
		return s
	}
	return quoted(s, 300)
}

func inYAMLList(all []string) string {
	var out []string
	for _, s := range all {
		out = append(out, inYAML(s))
	}
	if len(out) == 1 {
		return out[0]
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// yaml writes the draft.
func (d *draft) yaml() []byte {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# Draft of a mapping, made from samples. Finish what says TODO, then run:")
	say("#   scantrail carrier test %s.yaml SAMPLE...", d.carrier)
	say("carrier: %s # also the end of the raw topic: scans.raw.%s", d.carrier, d.carrier)
	say("version: 1 # raise it with every change of meaning")
	say("title: %s # TODO the carrier's name", d.carrier)
	say("source: TODO where the list of codes comes from")
	d.zones(say)
	say("\nlayouts: # one per form of message; the first that fits reads it")
	for i := range d.guesses {
		d.layout(&d.guesses[i], say)
	}
	if len(d.codes) > 0 {
		say("\n# What each code means. A code that is not here is decided by its text.")
		say("codes:")
		for _, c := range d.codes {
			say("  %s: %s", quoted(c.code, 80), d.meaning(c))
		}
	}
	say("\n# texts: # where no code decides: patterns of the text, * stands for anything")
	say("#   - {match: [\"left at * pickup point\"], milestone: available_for_pickup}")
	return []byte(b.String())
}

type sayer func(format string, args ...any)

// zones writes the rule for local times and the abbreviations of the samples.
func (d *draft) zones(say sayer) {
	local := false
	abbreviations := []string{}
	for i := range d.guesses {
		g := &d.guesses[i]
		local = local || len(g.times) > 0 && !g.times[0].form.offset && !has(g.times[0].words, "gmt utc")
		if g.zoneField == nil {
			continue
		}
		for _, v := range g.zoneField.values {
			if len(v) > 1 && len(v) < 6 && strings.ToUpper(v) == v && v[0] >= 'A' && !has([]string{v}, "Z UTC GMT") && !strings.ContainsAny(v, "+-/") {
				abbreviations = append(abbreviations, v)
			}
		}
	}
	if local {
		say("# How times without a zone are read: by the event's place (its country, or its")
		say("# state), then by the carrier's own zone.")
		say("zone: [location] # TODO add the carrier's zone if it works in one, e.g. [location, Europe/Paris]")
	}
	if len(abbreviations) == 0 {
		return
	}
	slices.Sort(abbreviations)
	say("abbreviations:")
	for _, a := range slices.Compact(abbreviations) {
		if off := knownAbbreviations[a]; off != "" {
			say("  %s: %q", inYAML(a), off)
		} else {
			say("  %s: \"+00:00\" # TODO", inYAML(a))
		}
	}
}

// layout writes one layout.
func (d *draft) layout(g *guess, say sayer) {
	say("  - name: %s", g.format+"_scans")
	say("    format: %s", g.format)
	parcels := g.parcel.path(g.root)
	when := g.number
	if parcels != "." {
		when = parcels
	} else if !g.numberIsSure && g.event != g.root {
		when = g.event.path(g.root)
	}
	if (when == "$key" || when == ".") && len(g.times) > 0 { // one status, and no number: its time tells the form
		when = strings.Trim(strings.Fields(g.times[0].value)[0], "{}")
	}
	say("    when: %s # stands in every such message", inYAML(when))
	say("    parcels: %s # path to the parcels; \".\" is the record itself", inYAML(parcels))
	switch {
	case g.number == "$key":
		say("    number: \"$key\" # TODO no field looks like a tracking number; this is the key of the Kafka record")
	case g.numberIsSure:
		say("    number: %s", inYAML(g.number))
	default:
		say("    number: %s # TODO is this the tracking number?", inYAML(g.number))
	}
	d.aliases(g, say)
	for _, f := range []struct{ key, path string }{{"origin", g.origin}, {"destination", g.target}, {"product", g.product}} {
		switch {
		case f.path != "":
			say("    %s: %s", f.key, inYAML(f.path))
		case f.key != "product":
			say("    # %s: TODO country of the lane, if the message states it", f.key)
		}
	}
	say("    events: %s # path from a parcel to its scans", inYAML(g.event.path(g.parcel)))
	say("    event: # paths from a scan; ^.x stands around it, /x in the record")
	for _, key := range []string{"code", "text"} {
		if p := g.fields[key]; p != "" {
			say("      %s: %s", key, inYAML(p))
		}
	}
	g.time(say)
	for _, key := range []string{"country", "region", "city", "postcode", "facility", "location"} {
		if p := g.fields[key]; p != "" {
			say("      %s: %s", key, inYAML(p))
		}
	}
	if g.fields["country"] == "" {
		say("      # country: TODO, or {value: place, split: \",\", part: -1} for the last part of a place, or {value: x, default: FR}")
	}
	say("      # skip: {path: reached, is: [\"false\"]} # statuses that have not happened")
	g.errors(d.refusals[g.format], say)
}

// aliases takes the other numbers that name the last mile or an alternate, and
// names the rest for a person to judge.
func (d *draft) aliases(g *guess, say sayer) {
	var taken []string
	var left []leaf
	for _, l := range g.otherNumbers {
		if has(l.words, "last mile lastmile local partner alternate alternative exchange handover secondary delivery carrier") {
			taken = append(taken, l.path)
		} else {
			left = append(left, l)
		}
	}
	if len(taken) > 0 {
		say("    aliases: [%s] # other numbers of the same parcel", strings.Trim(inYAMLList(taken), "[]"))
	}
	for _, l := range left {
		say("    # TODO another number of the parcel? then aliases: [%s], e.g. %s", inYAML(l.path), quoted(l.values[0], 40))
	}
}

// time writes the first of the times found and names the others.
func (g *guess) time(say sayer) {
	say("      time: # exact layouts; day and month are never guessed")
	if len(g.times) == 0 {
		say("        - {value: TODO_time, layout: iso}")
		return
	}
	t := g.times[0]
	zone, local := "", ""
	switch {
	case t.form.offset:
	case has(t.words, "gmt utc"):
		zone = ", zone: utc"
		for _, o := range g.times[1:] {
			if has(o.words, "local") && slices.Equal(o.form.layouts, t.form.layouts) {
				local = ", local: " + inYAML(o.value)
				break
			}
		}
	case g.zoneField != nil:
		zone = ", zone: " + quoted("{"+g.zoneField.path+"}", 300)
	}
	say("        - {value: %s, layout: %s%s%s}", inYAML(t.value), inYAMLList(t.form.layouts), zone, local)
	if len(t.form.others) > 0 {
		say("        # TODO day or month first? No date in the samples tells. The layout above, or")
		say("        #   layout: %s", inYAMLList(t.form.others))
	}
	for _, o := range g.times[1:] {
		if "local: "+inYAML(o.value) != strings.TrimPrefix(local, ", ") && o.score > 6 {
			say("        # the event also has %s, layout %s", inYAML(o.value), inYAMLList(o.form.layouts))
		}
	}
}

// errors writes how the carrier says that it has nothing to tell: from the
// samples, or as an example.
func (g *guess) errors(refused bool, say sayer) {
	if g.fault == nil {
		say("    # errors: # answers without scans")
		say("    #   - {when: {path: error.code, is: [\"404\"]}, reason: not_found, code: error.code, text: error.message}")
		return
	}
	path, code, text := g.faultPaths()
	if !refused {
		when := inYAML(path)
		if len(g.fault.values) > 0 { // it stands in good answers too
			when = fmt.Sprintf("{path: %s, not: [%s]}", when, quoted(g.fault.values[0], 40))
		}
		say("    # errors: # TODO answers without scans; reason is carrier_error or not_found")
		say("    #   - {when: %s, reason: not_found, code: %s, text: %s}", when, inYAML(code), inYAML(text))
		return
	}
	say("  - name: %s", g.format+"_refusal")
	say("    format: %s", g.format)
	say("    when: %s", inYAML(path))
	parcels, at := g.parcel.path(g.root), ""
	if parcels == "." { // the record is the parcel, and has no number then
		at = " at: parcel,"
	}
	say("    parcels: %s", inYAML(parcels))
	say("    number: %s", inYAML(g.number))
	say("    errors: # TODO which codes mean not_found, which carrier_error?")
	say("      - {when: %s,%s reason: carrier_error, code: %s, text: %s}", inYAML(path), at, inYAML(code), inYAML(text))
}

// faultPaths returns where an error stands, its code and its text.
func (g *guess) faultPaths() (path, code, text string) {
	path = g.fault.path(g.root)
	code, text = path, path
	around, below := g.fault, path+"."
	if !g.fault.object { // errorCode and errorMessage side by side
		around, below = g.fault.parent, ""
		if around != g.root {
			below = around.path(g.root) + "."
		}
	}
	for _, l := range around.leaves(g.event) {
		switch {
		case !g.fault.object && !has(l.words, "error errors fault"):
		case code == path && has(l.last, "code number id key"):
			code = below + l.path
		case text == path && has(l.last, "message msg description text detail title"):
			text = below + l.path
		}
	}
	return path, code, text
}
