package console

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// gathered are the metrics of this process by name.
type gathered map[string]*dto.MetricFamily

func gather(from prometheus.Gatherer) (gathered, error) {
	families, err := from.Gather()
	if err != nil {
		return nil, err
	}
	all := gathered{}
	for _, f := range families {
		all[f.GetName()] = f
	}
	return all, nil
}

// value is that of a gauge or counter without labels.
func (g gathered) value(name string) (float64, bool) {
	f := g[name]
	if f == nil || len(f.GetMetric()) != 1 {
		return 0, false
	}
	m := f.GetMetric()[0]
	if m.GetGauge() != nil {
		return m.GetGauge().GetValue(), true
	}
	return m.GetCounter().GetValue(), m.GetCounter() != nil
}

// mean is the mean of a histogram without labels.
func (g gathered) mean(name string) (n uint64, mean float64, ok bool) {
	f := g[name]
	if f == nil || len(f.GetMetric()) != 1 || f.GetMetric()[0].GetHistogram() == nil {
		return 0, 0, false
	}
	h := f.GetMetric()[0].GetHistogram()
	if n = h.GetSampleCount(); n > 0 {
		mean = h.GetSampleSum() / float64(n)
	}
	return n, mean, true
}

// bytesText is a size as people read it.
func bytesText(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if n < 1024 {
			return fmt.Sprintf("%.4g %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.4g GiB", n)
}
