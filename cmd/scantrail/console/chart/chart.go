// Package chart draws the console's diagrams as SVG. What is in them are figures
// and dates alone: names, titles and legends stand in the page beside them, in the
// reader's language, and every figure stands there in a table as well.
package chart

import (
	"errors"
	"math"
	"strconv"

	charts "github.com/go-analyze/charts"
)

// MaxPoints bounds the points of a diagram; two years of weeks fit.
const MaxPoints = 110

// Options are what all diagrams share.
type Options struct {
	Labels        []string // of the points, left to right
	Min, Max      float64  // of the scale
	Dark          bool
	Width, Height int // in CSS pixels; the picture scales
}

func (o *Options) check(series [][]float64) error {
	if len(o.Labels) == 0 || len(series) == 0 {
		return ErrNothing
	}
	if len(o.Labels) > MaxPoints || len(series) > len(lightSeries) {
		return errors.New("chart: too many points or series")
	}
	for _, s := range series {
		if len(s) != len(o.Labels) {
			return errors.New("chart: a series has not as many values as there are labels")
		}
	}
	return nil
}

// ErrNothing says that there is no point to draw.
var ErrNothing = errors.New("chart: no points")

// Lines draws each series as a line, and each threshold as a dashed line in the
// colour of the series of the same place. NaN is a point that is not there.
func Lines(o Options, series [][]float64, thresholds []float64) ([]byte, error) {
	if err := o.check(series); err != nil {
		return nil, err
	}
	var list charts.LineSeriesList
	for _, s := range series {
		list = append(list, charts.LineSeries{Values: withNulls(s)})
	}
	colors := o.colors()[:len(series):len(series)]
	for i, t := range thresholds[:min(len(thresholds), len(series))] {
		if math.IsNaN(t) {
			continue
		}
		list = append(list, threshold(t, len(o.Labels), colors[i]))
		colors = append(colors, charts.ColorTransparent)
	}
	p := o.painter(colors)
	err := p.LineChart(charts.LineChartOption{
		Theme: o.theme(colors), SeriesList: list, Padding: charts.NewBox(8, 14, 34, 4),
		XAxis: charts.XAxisOption{Labels: o.Labels, LabelFontStyle: small}, YAxis: []charts.YAxisOption{o.scale()},
		Legend: charts.LegendOption{Show: charts.Ptr(false)}, Symbol: charts.Symbol{Shape: charts.SymbolDot, Size: 3},
		LineStrokeWidth: 2.5, ValueFormatter: figure,
	})
	if err != nil {
		return nil, err
	}
	return p.Bytes()
}

// Stacked draws the series on one another, a bar for each label.
func Stacked(o Options, series [][]float64) ([]byte, error) {
	if err := o.check(series); err != nil {
		return nil, err
	}
	var list charts.BarSeriesList
	for _, s := range series {
		list = append(list, charts.BarSeries{Values: withNulls(s)})
	}
	p := o.painter(o.colors())
	err := p.BarChart(charts.BarChartOption{
		Theme: o.theme(o.colors()), SeriesList: list, StackSeries: charts.Ptr(true), Padding: charts.NewBox(8, 14, 34, 4),
		CategoryAxis: charts.CategoryAxisOption{Labels: o.Labels, LabelFontStyle: small}, ValueAxis: []charts.ValueAxisOption{o.scale()},
		Legend: charts.LegendOption{Show: charts.Ptr(false)}, ValueFormatter: figure,
	})
	if err != nil {
		return nil, err
	}
	return p.Bytes()
}

// threshold is a series that is not drawn itself, with a dashed trend, which is
// the same, and the mark of its mean, of which only the figure at the right is seen.
func threshold(value float64, points int, color charts.Color) charts.LineSeries {
	values := make([]float64, points)
	for i := range values {
		values[i] = value
	}
	return charts.LineSeries{
		Values: values, Symbol: charts.Symbol{Shape: charts.SymbolNone},
		TrendLine: []charts.SeriesTrendLine{{Type: charts.SeriesTrendTypeSMA, Period: 1, LineColor: color, LineStrokeWidth: 1.5, DashedLine: charts.Ptr(true)}},
		MarkLine:  charts.SeriesMarkLine{Lines: charts.NewSeriesMarkList(charts.SeriesMarkTypeAverage), ValueFormatter: figure},
	}
}

var small = charts.FontStyle{FontSize: 9}

func (o *Options) painter(colors []charts.Color) *charts.Painter {
	return charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: o.Width, Height: o.Height, Theme: o.theme(colors)})
}

func (o *Options) scale() charts.ValueAxisOption {
	step := 20.
	for _, s := range []float64{10, 5, 2, 1} {
		if (o.Max-o.Min)/s <= 6 {
			step = s
		}
	}
	return charts.ValueAxisOption{Min: &o.Min, Max: &o.Max, LabelCount: int((o.Max-o.Min)/step) + 1, LabelFontStyle: small, SpineLineShow: charts.Ptr(false)}
}

func figure(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func withNulls(values []float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		if out[i] = v; math.IsNaN(v) || math.IsInf(v, 0) {
			out[i] = charts.GetNullValue()
		}
	}
	return out
}

// Floor is where a scale up to 100 begins so that all values are on it: a multiple
// of 10 at 40 at most, since small differences near the thresholds matter.
func Floor(series [][]float64, thresholds []float64) float64 {
	floor := 40.
	for _, s := range append(series[:len(series):len(series)], thresholds) {
		for _, v := range s {
			if !math.IsNaN(v) {
				floor = min(floor, 10*math.Floor(v/10))
			}
		}
	}
	return max(floor, 0)
}
