package detector

import "encoding/binary"

// A tracking number as kept: a head that tells shape and characters, and then
//
//	postal  6   S10: 4 letters and 8 digits; the ninth is their check digit
//	digits  3+  12 digits in 5 bytes
//	two     2+  two letters, then digits
//	alnum   4+  A-Z and 0-9, 3 in 2 bytes
//	raw     n   anything else
//
// The first shape that fits is taken, so that a number has one encoding.
const (
	packedChars = 1<<6 - 1

	packedRaw    = 0 << 6
	packedAlnum  = 1 << 6
	packedTwo    = 2 << 6
	packedDigits = 3 << 6
	packedPostal = packedRaw | packedChars

	postalBytes = 6
)

// digitBytes is what up to 12 digits need.
var digitBytes = [...]int{0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 5}

// appendPacked appends the encoding of a number of at most 62 bytes.
func appendPacked(b, number []byte) []byte {
	n := byte(len(number))
	switch v, postal := postalValue(number); {
	case postal:
		return appendLow(append(b, packedPostal), v, postalBytes)
	case n > 0 && allIn(number, isDigit):
		return appendDigits(append(b, packedDigits|n), number)
	case n > 2 && isLetter(number[0]) && isLetter(number[1]) && allIn(number[2:], isDigit):
		b = appendLow(append(b, packedTwo|n), uint64(number[0]-'A')*26+uint64(number[1]-'A'), 2)
		return appendDigits(b, number[2:])
	case n > 0 && allIn(number, isAlnum):
		b = append(b, packedAlnum|n)
		for len(number) > 0 {
			part := number[:min(3, len(number))]
			v := uint64(0)
			for i := len(part) - 1; i >= 0; i-- {
				v = v*36 + uint64(alnumValue(part[i]))
			}
			b = appendLow(b, v, min(len(part), 2))
			number = number[len(part):]
		}
		return b
	}
	return append(append(b, packedRaw|n), number...)
}

// packedLen is the length of the encoding that b begins with. It may be more than
// b has.
func packedLen(b []byte) int {
	switch {
	case len(b) == 0:
		return 1
	case b[0] == packedPostal:
		return 1 + postalBytes
	}
	n := int(b[0] & packedChars)
	switch b[0] &^ packedChars {
	case packedDigits:
		return 1 + digitsLen(n)
	case packedTwo:
		return 3 + digitsLen(max(n-2, 0))
	case packedAlnum:
		return 1 + n/3*2 + n%3
	}
	return 1 + n
}

// appendSpelt appends the number that b, a whole encoding, stands for.
func appendSpelt(dst, b []byte) []byte {
	head, n := b[0]&^packedChars, int(b[0]&packedChars)
	whole := b[0] == packedPostal
	b = b[1:]
	switch {
	case whole:
		var s [postalChars]byte
		speltPostal(&s, b)
		return append(dst, s[:]...)
	case head == packedDigits:
		return appendSpeltDigits(dst, b, n)
	case head == packedTwo:
		v := low(b[:2])
		return appendSpeltDigits(append(dst, byte('A'+v/26%26), byte('A'+v%26)), b[2:], n-2)
	case head == packedAlnum:
		for ; n > 0; n -= 3 {
			k := min(n, 3)
			v := low(b[:min(k, 2)])
			b = b[min(k, 2):]
			for range k {
				dst = append(dst, alnums[v%36])
				v /= 36
			}
		}
		return dst
	}
	return append(dst, b...)
}

const postalSerials = 100_000_000

const postalChars = 13

// postalValue packs an S10 number whose check digit is right.
func postalValue(s []byte) (v uint64, ok bool) {
	if len(s) != postalChars {
		return 0, false
	}
	for _, k := range [...]int{0, 1, 11, 12} {
		if !isLetter(s[k]) {
			return 0, false
		}
		v = v*26 + uint64(s[k]-'A')
	}
	for _, c := range s[2:10] {
		if !isDigit(c) {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, s[10] == checkDigit(s[2:10])
}

// speltPostal spells what postalValue packed.
func speltPostal(s *[postalChars]byte, b []byte) {
	v := uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint16(b[4:]))<<32
	letters, serial := uint32(v/postalSerials), uint32(v%postalSerials)
	spellPair(s[11:], letterPairs, letters%(26*26))
	spellPair(s[0:], letterPairs, letters/(26*26)%(26*26))
	spellPair(s[2:], digitPairs, serial/1_000_000)
	spellPair(s[4:], digitPairs, serial/10_000%100)
	spellPair(s[6:], digitPairs, serial/100%100)
	spellPair(s[8:], digitPairs, serial%100)
	s[10] = checkDigit(s[2:10])
}

// letterPairs and digitPairs spell all pairs, one after the other: the number of every
// parcel that a scan comes for is spelt.
var letterPairs, digitPairs = pairsOf("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), pairsOf("0123456789")

func pairsOf(chars string) string {
	var b []byte
	for i := range chars {
		for k := range chars {
			b = append(b, chars[i], chars[k])
		}
	}
	return string(b)
}

func spellPair(dst []byte, pairs string, v uint32) {
	dst[0], dst[1] = pairs[2*v], pairs[2*v+1]
}

// checkDigit is that of UPU S10 over eight digits.
func checkDigit(s []byte) byte {
	_ = s[7]
	const zeros = (8 + 6 + 4 + 2 + 3 + 5 + 9 + 7) * '0'
	sum := 8*uint32(s[0]) + 6*uint32(s[1]) + 4*uint32(s[2]) + 2*uint32(s[3]) + 3*uint32(s[4]) + 5*uint32(s[5]) + 9*uint32(s[6]) + 7*uint32(s[7]) - zeros
	return "50987654321"[sum%11]
}

// digitsLen is what appendDigits needs for n digits.
func digitsLen(n int) int { return n/12*5 + digitBytes[n%12] }

func appendDigits(b, digits []byte) []byte {
	for len(digits) > 0 {
		n := min(len(digits), 12)
		v := uint64(0)
		for _, c := range digits[:n] {
			v = v*10 + uint64(c-'0')
		}
		b = appendLow(b, v, digitBytes[n])
		digits = digits[n:]
	}
	return b
}

func appendSpeltDigits(dst, b []byte, n int) []byte {
	for n > 0 {
		k := min(n, 12)
		dst = appendDecimal(dst, low(b[:digitBytes[k]]), k)
		b = b[digitBytes[k]:]
		n -= k
	}
	return dst
}

// appendDecimal appends the last n digits of v.
func appendDecimal(dst []byte, v uint64, n int) []byte {
	var s [12]byte
	for i := n - 1; i >= 0; i-- {
		s[i] = byte('0' + v%10)
		v /= 10
	}
	return append(dst, s[:n]...)
}

// appendLow appends the n lowest bytes of v, the lowest first.
func appendLow(b []byte, v uint64, n int) []byte {
	for range n {
		b = append(b, byte(v))
		v >>= 8
	}
	return b
}

// low reads what appendLow wrote.
func low(b []byte) (v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

const alnums = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func alnumValue(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c - 'A' + 10
}

func isDigit(c byte) bool  { return c-'0' < 10 }
func isLetter(c byte) bool { return c-'A' < 26 }
func isAlnum(c byte) bool  { return isDigit(c) || isLetter(c) }

func allIn(s []byte, is func(byte) bool) bool {
	for _, c := range s {
		if !is(c) {
			return false
		}
	}
	return true
}
