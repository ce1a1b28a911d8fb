package carriers

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLexiconPhrases asks the lexicon about sentences of real carriers' kind,
// one file per language: each line is a milestone (or a pseudo one, which the
// place of the event completes) and a sentence, judged by hand. "none" stands
// for a sentence that must not be understood.
func TestLexiconPhrases(t *testing.T) {
	x := &load(t).lexicon
	files, err := filepath.Glob("testdata/lexicon/*.txt")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files of sentences found, want one per language: %v", len(files), err)
	}
	for _, file := range files {
		language := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(language, func(t *testing.T) {
			if n := checkSentences(t, x, file); n < 40 {
				t.Errorf("%s holds %d sentences, want at least 40", file, n)
			}
		})
	}
}

func checkSentences(t *testing.T, x *lexicon, file string) (n int) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		want, sentence, ok := strings.Cut(lines.Text(), ": ")
		if !ok || strings.HasPrefix(want, "#") {
			continue
		}
		n++
		if got, rule := x.understand(sentence); got != want {
			t.Errorf("%q: %s by %s, want %s", sentence, got, rule, want)
		}
	}
	return n
}

// understand names what the lexicon makes of a text, and the phrase behind it.
func (x *lexicon) understand(s string) (name, rule string) {
	i := x.meanings.longest(appendNormal(nil, s))
	if i < 0 {
		return "none", "none"
	}
	d := &x.decisions[i]
	for name, p := range pseudoNames {
		if p == d.pseudo {
			return name, d.rule
		}
	}
	return d.milestone.String(), d.rule
}

// TestReasonOfSentence checks that an exception's reason and its author are
// found in each language.
func TestReasonOfSentence(t *testing.T) {
	x := &load(t).lexicon
	for sentence, want := range map[string]string{
		"Delivery attempted, no one at home":                     "consignee_not_available",
		"Zustellung nicht möglich: Annahme verweigert":           "consignee_refused",
		"Intento de entrega: destinatario ausente":               "consignee_not_available",
		"Livraison impossible, adresse incomplète":               "consignee_incorrect_address",
		"Entrega não efetuada: endereço incorreto":               "consignee_incorrect_address",
		"Consegna non riuscita, indirizzo errato":                "consignee_incorrect_address",
		"Bezorging mislukt: ontvanger niet thuis":                "consignee_not_available",
		"неудачная попытка вручения: адресат отсутствует":        "consignee_not_available",
		"Pengiriman gagal, alamat tidak lengkap":                 "consignee_incorrect_address",
		"giao hàng thất bại, người nhận từ chối nhận hàng":       "consignee_refused",
		"นำจ่ายไม่สำเร็จ ผู้รับไม่อยู่":                          "consignee_not_available",
		"派送失败，收件人拒收":                                             "consignee_refused",
		"The shipment is held: documents required for clearance": "customs_documentation",
	} {
		got := "none"
		if i := x.reasons.longest(appendNormal(nil, sentence)); i >= 0 {
			got = x.blames[i].reason
		}
		if got != want {
			t.Errorf("%q: reason %s, want %s", sentence, got, want)
		}
	}
}
