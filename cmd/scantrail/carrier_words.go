package main

import (
	"regexp"
	"strings"
	"unicode"
)

// words splits a key or a path into lower-case words: trackingNumber,
// tracking-number and TRACKING_NUMBER are the same two.
func words(key string) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, b.String())
			b.Reset()
		}
	}
	runes := []rune(key)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r):
			lowerBefore := i > 0 && !unicode.IsUpper(runes[i-1])
			lowerAfter := i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if lowerBefore || lowerAfter {
				flush()
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	flush()
	return out
}

// has reports whether one of the words is among those of a list.
func has(in []string, list string) bool {
	for _, w := range in {
		if strings.Contains(" "+list+" ", " "+w+" ") {
			return true
		}
	}
	return false
}

const personalWords = "signature signed signatory signer signedby signedforby firstname lastname surname fullname contact contactname phone phonenumber mobile tel telephone fax email street street1 street2 streets streetline streetlines addressline addressline1 addressline2 line1 line2 line3 address1 address2 recipientname receivername consigneename username driver person attention company companyname " +
	"nom prenom adresse adresse1 adresse2 adresse3 voie rue courriel strasse hausnummer vorname nachname unterschrift telefon nombre apellido direccion calle telefono firma naam straat handtekening nome indirizzo"

const partyWords = "recipient receiver consignee sender shipper customer driver courier contact person consignor buyer destinataire expediteur empfaenger absender destinatario remitente mittente ontvanger"

// mailAddress finds addresses of electronic mail.
var mailAddress = regexp.MustCompile(`[^\s@]@[^\s@]+\.[a-z]`)

// personal reports whether the name of a field says that a person stands in
// it: a name, a signature, a street, a telephone number.
func personal(path string) bool {
	w := words(path)
	if has(w, personalWords) {
		return true
	}
	last := words(path[strings.LastIndexByte(path, '.')+1:])
	return has(last, "name") && has(w, partyWords+" to from") || has(last, "address") && len(last) == 1 && has(w, partyWords)
}
