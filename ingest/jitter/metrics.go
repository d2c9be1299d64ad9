package jitter

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what happens to all streams that are given them. A nil *Metrics
// counts nothing.
type Metrics struct {
	underruns, skips prometheus.Counter
	skipped          prometheus.Counter
}

// NewMetrics registers the counters; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "longwave_jitter_" + name, Help: help})
	}
	m := &Metrics{
		underruns: counter("underruns_total", "Times a source ran dry."),
		skips:     counter("skips_total", "Times sound was taken out of a source to come back to its target delay."),
		skipped:   counter("skipped_seconds_total", "Sound that was taken out."),
	}
	if reg != nil {
		reg.MustRegister(m.underruns, m.skips, m.skipped)
	}
	return m
}

func (m *Metrics) ranDry() {
	if m != nil {
		m.underruns.Inc()
	}
}

func (m *Metrics) skip(seconds float64) {
	if m != nil {
		m.skips.Inc()
		m.skipped.Add(seconds)
	}
}
