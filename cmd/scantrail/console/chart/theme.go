package chart

import charts "github.com/go-analyze/charts"

// The colours of the series are those of the classes series-1 to series-4 of the
// style sheet, which the legends beside the diagrams have: distinct for the
// colour-blind too (after Okabe and Ito), and of contrast 3:1 or more.
var (
	lightSeries = []charts.Color{rgb(0x0b5cad), rgb(0xb3540a), rgb(0x0a7d5f), rgb(0x9a4a86)}
	darkSeries  = []charts.Color{rgb(0x6db3f2), rgb(0xf0a04b), rgb(0x4fc9a5), rgb(0xdd9bcb)}
)

func rgb(hex uint32) charts.Color {
	return charts.Color{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 255}
}

func (o *Options) colors() []charts.Color {
	if o.Dark {
		return darkSeries
	}
	return lightSeries
}

func (o *Options) theme(colors []charts.Color) charts.ColorPalette {
	text, line := rgb(0x4a5361), rgb(0xdfe3e8)
	if o.Dark {
		text, line = rgb(0xb6c0cc), rgb(0x39424e)
	}
	return charts.MakeTheme(charts.ThemeOption{
		IsDarkMode: o.Dark, AxisStrokeColor: line, AxisSplitLineColor: line, TextColor: text,
		BackgroundColor: charts.ColorTransparent, SeriesColors: colors,
	})
}
