package carriers

import (
	"strings"

	"scantrail/schemas"
)

// numberFormat is a format of tracking numbers with a rule that a number can
// break. check reports whether a number has the shape of the format, and if so
// whether it keeps the rule.
type numberFormat struct {
	name  string
	check func(s string) (claimed, valid bool)
}

// numberFormats in the order of number_format's documentation.
var numberFormats = [...]numberFormat{
	{"s10", checkS10},
	{"ups_1z", checkUPS},
	{"fedex_12", checkFedEx12},
	{"fedex_15", checkFedEx15},
	{"fedex_96", checkFedEx96},
	{"usps_impb", checkIMpb},
	{"canada_post", checkCanadaPost},
	{"sf", func(s string) (bool, bool) { return prefixed(s, "SF", 12, 15) }},
	{"yunexpress", func(s string) (bool, bool) { return prefixed(s, "YT", 16, 16) }},
	{"dhl_express", checkDHLExpress},
	{"sscc", checkSSCC},
}

func numberFormatNames() []string {
	var out []string
	for _, f := range numberFormats {
		out = append(out, f.name)
	}
	return out
}

// formatRule is a format that the numbers of a layout have under conditions.
type formatRule struct {
	format numberFormat
	when   []cond
}

// parseFormatRule reads the name of a format, or {format, when}.
func parseFormatRule(y yamlNode) formatRule {
	name := func(v yamlNode) numberFormat { return numberFormats[v.oneOf(numberFormatNames()...)] }
	if !y.isMap() {
		return formatRule{format: name(y)}
	}
	var r formatRule
	y.fields("format, when", func(key string, v yamlNode) bool {
		switch key {
		case "format":
			r.format = name(v)
		case "when":
			r.when = parseConds(v)
		default:
			return false
		}
		return true
	})
	if r.format.check == nil {
		y.errorf("format is missing")
		r.format = numberFormats[0]
	}
	return r
}

// checkByLayout is checkNumber with the formats of the layout too, for a parcel
// that stands at this place.
func (d *Decoder) checkByLayout(s *shape, at place) schemas.NumberCheck {
	result := d.checkNumber(d.number.canonical)
	for i := range s.formats {
		if r := &s.formats[i]; result != schemas.NumberValid && d.all(r.when, at) {
			if claimed, valid := r.format.check(d.number.canonical); valid {
				result = schemas.NumberValid
			} else if claimed {
				result = schemas.NumberInvalid
			}
		}
	}
	return result
}

// checkNumber says whether a canonical number keeps the rules of the carrier's
// formats. The postal format S10 is everybody's, where it ends in a country.
func (d *Decoder) checkNumber(s string) schemas.NumberCheck {
	result := schemas.NumberUnknown
	if claimed, valid := checkS10(s); claimed && d.registry.geo.country(s[11:]) != "" {
		if valid {
			return schemas.NumberValid
		}
		result = schemas.NumberInvalid
	}
	if d.carrier == nil {
		return result
	}
	for i := range d.carrier.numberFormats {
		if claimed, valid := d.carrier.numberFormats[i].check(s); valid {
			return schemas.NumberValid
		} else if claimed {
			result = schemas.NumberInvalid
		}
	}
	return result
}

// checkS10: two letters, eight digits, a check digit, the country (UPU S10).
func checkS10(s string) (claimed, valid bool) {
	if len(s) != 13 || !capitals(s[:2]) || !digits(s[2:11]) || !capitals(s[11:]) {
		return false, false
	}
	sum := 0
	for i, weight := range [8]int{8, 6, 4, 2, 3, 5, 9, 7} {
		sum += int(s[2+i]-'0') * weight
	}
	check := 11 - sum%11
	switch check {
	case 10:
		check = 0
	case 11:
		check = 5
	}
	return true, int(s[10]) == '0'+check
}

func capitals(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

// checkUPS: 1Z, account, service and parcel, a check digit. A letter counts as
// its place in the alphabet plus one, modulo ten; every second one twice.
func checkUPS(s string) (claimed, valid bool) {
	if len(s) != 18 || !strings.HasPrefix(s, "1Z") || s[17] > '9' {
		return false, false
	}
	sum := 0
	for i := range 15 {
		n := int(s[2+i] - '0')
		if s[2+i] >= 'A' {
			n = (int(s[2+i]-'A') + 2) % 10
		}
		sum += n * (1 + i%2)
	}
	return true, int(s[17]-'0') == (10-sum%10)%10
}

// checkFedEx12: eleven digits weighted 3 1 7 again and again, modulo 11, of
// which 10 counts as 0.
func checkFedEx12(s string) (claimed, valid bool) {
	if len(s) != 12 || !digits(s) {
		return false, false
	}
	sum := 0
	for i := range 11 {
		sum += int(s[i]-'0') * [3]int{3, 1, 7}[i%3]
	}
	return true, int(s[11]-'0') == sum%11%10
}

// checkFedEx15 is that of FedEx Ground.
func checkFedEx15(s string) (claimed, valid bool) {
	if len(s) != 15 || !digits(s) {
		return false, false
	}
	return true, s[14] == gs1Check(s[:14])
}

// checkFedEx96: a barcode of FedEx Ground, which ends with the number of 15
// digits.
func checkFedEx96(s string) (claimed, valid bool) {
	if len(s) != 22 || !strings.HasPrefix(s, "96") || !digits(s) {
		return false, false
	}
	return checkFedEx15(s[7:])
}

// checkCanadaPost: 16 digits, the last of which is the check digit of GS1.
func checkCanadaPost(s string) (claimed, valid bool) {
	if len(s) != 16 || !digits(s) {
		return false, false
	}
	return true, s[15] == gs1Check(s[:15])
}

// checkIMpb: the Intelligent Mail package barcode of USPS, 20 to 34 digits, of
// which 420 and the ZIP code before the number do not count.
func checkIMpb(s string) (claimed, valid bool) {
	if len(s) < 20 || len(s) > 34 || !digits(s) {
		return false, false
	}
	if strings.HasPrefix(s, "420") {
		for _, zip := range [2]int{5, 9} {
			switch n := len(s) - 3 - zip; n {
			case 20, 22, 26:
				if rest := s[3+zip:]; rest[0] == '9' || n == 20 {
					claimed = true
					valid = valid || rest[n-1] == gs1Check(rest[:n-1])
				}
			}
		}
		if claimed {
			return claimed, valid
		}
	}
	switch len(s) {
	case 20, 22, 26:
		return true, s[len(s)-1] == gs1Check(s[:len(s)-1])
	}
	return false, false
}

// checkDHLExpress: ten digits, the last of which is the rest of the others by 7.
func checkDHLExpress(s string) (claimed, valid bool) {
	if len(s) != 10 || !digits(s) {
		return false, false
	}
	rest := 0
	for i := range 9 {
		rest = (rest*10 + int(s[i]-'0')) % 7
	}
	return true, int(s[9]-'0') == rest
}

// checkSSCC: the serial shipping container code of GS1, 18 digits.
func checkSSCC(s string) (claimed, valid bool) {
	if len(s) == 20 && strings.HasPrefix(s, "00") {
		s = s[2:]
	}
	if len(s) != 18 || !digits(s) {
		return false, false
	}
	return true, s[17] == gs1Check(s[:17])
}

// prefixed claims what begins so; valid is so many digits after it.
func prefixed(s, prefix string, least, most int) (claimed, valid bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok, ok && len(rest) >= least && len(rest) <= most && digits(rest)
}

// gs1Check returns the check digit that follows digits: weights 3 and 1 from
// the right, modulo 10 (GS1 General Specifications).
func gs1Check(s string) byte {
	sum := 0
	for i := range len(s) {
		n := int(s[len(s)-1-i] - '0')
		if i%2 == 0 {
			n *= 3
		}
		sum += n
	}
	return byte('0' + (10-sum%10)%10)
}
