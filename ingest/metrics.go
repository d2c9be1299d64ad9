package ingest

import "github.com/prometheus/client_golang/prometheus"

// gateMetrics count who came to the gate. Label transport: icecast, file, stdin.
type gateMetrics struct {
	lanes, turnedAway *prometheus.CounterVec
}

func newGateMetrics(reg prometheus.Registerer) *gateMetrics {
	vec := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "longwave_ingest_" + name, Help: help}, []string{"transport"})
	}
	m := &gateMetrics{
		lanes:      vec("lanes_opened_total", "Speakers that were admitted, by transport."),
		turnedAway: vec("refused_total", "Speakers that the gate refused, by transport."),
	}
	if reg != nil {
		reg.MustRegister(m.lanes, m.turnedAway)
	}
	return m
}

func (m *gateMetrics) opened(transport string)  { m.lanes.WithLabelValues(transport).Inc() }
func (m *gateMetrics) refused(transport string) { m.turnedAway.WithLabelValues(transport).Inc() }

// newLateness counts how a programme keeps time.
func newLateness(reg prometheus.Registerer) prometheus.Histogram {
	late := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "longwave_programme_frame_lateness_seconds",
		Help:    "How long after it was due a frame of 20 ms was mixed.",
		Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1},
	})
	if reg != nil {
		reg.MustRegister(late)
	}
	return late
}
