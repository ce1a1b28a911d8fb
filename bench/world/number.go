package world

// serial spreads the parcels of a world over 10^width numbers without meeting
// twice; different seeds start elsewhere.
func serial(seed uint64, index int, modulus uint64) uint64 {
	const step = 7_368_787 // a prime that divides no power of ten
	return (mix(seed)%modulus + uint64(index)%modulus*step%modulus) % modulus
}

func appendDigits(b []byte, n uint64, width int) []byte {
	for i := uint64(0); i < uint64(width); i++ {
		b = append(b, '0')
	}
	for i := len(b) - 1; n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// appendS10 appends a postal number (UPU S10) with its check digit.
func appendS10(b []byte, prefix, country string, seed uint64, index int) []byte {
	b = append(b, prefix...)
	b[len(b)-1] += byte(index / 100_000_000 % 26) // a new series every 10^8
	b = appendDigits(b, serial(seed, index, 100_000_000), 8)
	return append(append(b, checkS10(b[len(b)-8:])), country...)
}

func checkS10(digits []byte) byte {
	sum := 0
	for i, w := range [8]int{8, 6, 4, 2, 3, 5, 9, 7} {
		sum += w * int(digits[i]-'0')
	}
	switch check := 11 - sum%11; check {
	case 10:
		return '0'
	case 11:
		return '5'
	default:
		return byte('0' + check)
	}
}

// appendUPS appends a 1Z number with its check digit.
func appendUPS(b []byte, seed uint64, index int) []byte {
	start := len(b) + 2
	b = append(b, "1Z"...)
	n := serial(seed, index, 10_000_000_000_000)
	b = appendDigits(b, n/10_000_000, 6)
	b = append(b, "03"...)
	b = appendDigits(b, n%10_000_000, 7)
	return append(b, checkUPS(b[start:]))
}

// checkUPS takes the 15 digits after 1Z; a letter counts as its place in the
// alphabet plus 2, modulo 10.
func checkUPS(digits []byte) byte {
	sum := 0
	for i, c := range digits {
		d := int(c - '0')
		if c >= 'A' {
			d = int(c-'A'+2) % 10
		}
		sum += d * (1 + i%2)
	}
	return byte('0' + (10-sum%10)%10)
}

// appendFedEx appends a 12-digit number with its check digit.
func appendFedEx(b []byte, seed uint64, index int) []byte {
	start := len(b)
	b = appendDigits(b, 20_000_000_000+serial(seed, index, 10_000_000_000), 11)
	return append(b, checkFedEx(b[start:]))
}

func checkFedEx(digits []byte) byte {
	sum := 0
	for i, c := range digits {
		sum += int(c-'0') * [3]int{3, 1, 7}[i%3]
	}
	return byte('0' + sum%11%10)
}
