package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// gauge reads one gauge, without gathering all the others.
func gauge(g prometheus.Gauge) float64 {
	var m dto.Metric
	if err := g.Write(&m); err != nil {
		return 0
	}
	return m.GetGauge().GetValue()
}

// value sums a metric over its labels; 0 when it is not there.
func (p *pipeline) value(name string, labels ...string) float64 {
	families, err := p.registry.Gather()
	if err != nil {
		return 0
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if matches(m, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// matches reports whether a metric has all the given label values.
func matches(m *dto.Metric, labels []string) bool {
	for _, want := range labels {
		found := false
		for _, l := range m.GetLabel() {
			found = found || l.GetValue() == want
		}
		if !found {
			return false
		}
	}
	return true
}

// live shows one line that tells how the demo is doing: rewritten in place on a
// terminal, a new line every few seconds elsewhere.
type live struct {
	d     *demo
	quit  chan struct{}
	done  chan struct{}
	tty   bool
	scans float64
	at    time.Time
}

func startLive(d *demo) *live {
	l := &live{d: d, quit: make(chan struct{}), done: make(chan struct{}), tty: isTerminal(os.Stdout), at: time.Now()}
	every := 5 * time.Second
	if l.tty {
		every = 500 * time.Millisecond
	}
	go func() {
		defer close(l.done)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-l.quit:
				return
			case <-t.C:
				l.show()
			}
		}
	}()
	return l
}

// stop ends the line and waits for it.
func (l *live) stop() {
	close(l.quit)
	<-l.done
	l.show()
	if l.tty {
		fmt.Fprintln(l.d.out)
	}
}

func (l *live) show() {
	p := l.d.pipeline
	scans, now := p.value("scantrail_ingest_events_total"), time.Now()
	rate := (scans - l.scans) / now.Sub(l.at).Seconds()
	l.scans, l.at = scans, now
	opened := func(rule, status string) float64 {
		return p.value("scantrail_detector_alerts_total", rule, status)
	}
	line := fmt.Sprintf("%s  %7.0f scans/s  %7.0f scans  %6.0f open parcels  alerts: gap_48h %.0f  gap_72h %.0f  milestone_missing %.0f  lag %s",
		l.d.clock.now().UTC().Format("2 Jan 15:04"), rate, scans, p.value("scantrail_detector_parcels_open"),
		opened("gap_48h", "open"), opened("gap_72h", "escalated"), opened("milestone_missing", "open"),
		l.d.clock.now().Sub(l.d.detectorClock()).Round(time.Minute))
	if l.tty {
		fmt.Fprint(l.d.out, "\r"+line+strings.Repeat(" ", 4))
	} else {
		fmt.Fprintln(l.d.out, line)
	}
}
