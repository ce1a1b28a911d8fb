package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

var nan = math.NaN()

// parse reads a picture as XML and counts its elements.
func parse(t *testing.T, svg []byte) map[string]int {
	t.Helper()
	counts := map[string]int{}
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return counts
		}
		if err != nil {
			t.Fatalf("no XML: %v\n%s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok {
			counts[e.Name.Local]++
			for _, a := range e.Attr {
				if strings.Contains(a.Value, "url(") || a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("<%s %s=%q> asks for something or does something", e.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
}

func TestPictures(t *testing.T) {
	week := []string{"10-05", "10-12", "10-19", "10-26"}
	one, two := []float64{57.2, nan, 62.4, 60.4}, []float64{97.1, 96.5, nan, 98.7}
	for _, dark := range []bool{false, true} {
		o := Options{Labels: week, Min: 40, Max: 100, Dark: dark, Width: 640, Height: 250}
		lines, err := Lines(o, [][]float64{one, two}, []float64{75, 85})
		if err != nil {
			t.Fatal(err)
		}
		stacked, err := Stacked(o, [][]float64{one, two, one, two})
		if err != nil {
			t.Fatal(err)
		}
		for name, svg := range map[string][]byte{"lines": lines, "stacked": stacked} {
			counts := parse(t, svg)
			if counts["svg"] != 1 || counts["text"] < len(week) || counts["path"] < 4 || counts["script"]+counts["image"]+counts["style"]+counts["a"] > 0 {
				t.Errorf("%s, dark %t: %v", name, dark, counts)
			}
			if len(svg) > 10_000 {
				t.Errorf("%s: %d bytes", name, len(svg))
			}
		}
		text := string(lines)
		if !strings.Contains(text, ">75<") || !strings.Contains(text, ">85<") || strings.Count(text, `stroke-dasharray="7.75`) != 2 {
			t.Errorf("dark %t: not two dashed thresholds with their figures:\n%s", dark, text)
		}
		if again, _ := Lines(o, [][]float64{one, two}, []float64{75, 85}); !bytes.Equal(again, lines) {
			t.Error("the same figures make another picture")
		}
	}
}

// Labels come from us; were they a carrier's, they could do no harm either.
func TestHostileLabel(t *testing.T) {
	svg, err := Lines(Options{Labels: []string{`<script>alert(1)</script>`, "\x00\"'&]]>"}, Max: 10, Width: 600, Height: 200}, [][]float64{{1, 2}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if counts := parse(t, svg); counts["script"] != 0 {
		t.Errorf("%v", counts)
	}
}

func TestNothingToDraw(t *testing.T) {
	many := make([]float64, MaxPoints+1)
	for name, c := range map[string]struct {
		labels []string
		series [][]float64
	}{
		"no point": {nil, [][]float64{{}}}, "no series": {[]string{"a"}, nil}, "unequal": {[]string{"a", "b"}, [][]float64{{1}}},
		"too many points": {make([]string, len(many)), [][]float64{many}}, "too many series": {[]string{"a"}, [][]float64{{1}, {1}, {1}, {1}, {1}}},
	} {
		if _, err := Lines(Options{Labels: c.labels, Max: 1}, c.series, nil); err == nil {
			t.Errorf("%s: a picture", name)
		}
	}
	if _, err := Stacked(Options{}, [][]float64{nil}); !errors.Is(err, ErrNothing) {
		t.Errorf("without points: %v", err)
	}
	for _, series := range [][]float64{{nan}, {5}} { // a single week, and one without a score
		if _, err := Lines(Options{Labels: []string{"a"}, Max: 100, Width: 640, Height: 250}, [][]float64{series}, []float64{75}); err != nil {
			t.Errorf("%v: %v", series, err)
		}
	}
}

func TestFloor(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{97, nan}, 40}, {[]float64{38.9}, 30}, {[]float64{-3, 50}, 0}, {nil, 40}} {
		if got := Floor([][]float64{c.values}, []float64{75, nan}); got != c.want {
			t.Errorf("Floor(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}
