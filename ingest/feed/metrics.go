package feed

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what happens to all groups that are given them. A nil *Metrics
// counts nothing.
type Metrics struct {
	switches   *prometheus.CounterVec
	alignments *prometheus.CounterVec
}

// NewMetrics registers the counters; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		switches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_feed_switches_total",
			Help: "Times another feed of a group came to be heard, by reason.",
		}, []string{"reason"}),
		alignments: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_feed_alignments_total",
			Help: "Comparisons of two feeds of a group, by result.",
		}, []string{"result"}),
	}
	m.alignments.WithLabelValues("clear")
	m.alignments.WithLabelValues("unclear")
	for r := First; r <= Left; r++ {
		m.switches.WithLabelValues(r.String())
	}
	if reg != nil {
		reg.MustRegister(m.switches, m.alignments)
	}
	return m
}

func (m *Metrics) switched(r Reason) {
	if m != nil {
		m.switches.WithLabelValues(r.String()).Inc()
	}
}

func (m *Metrics) compared(sure bool) {
	switch {
	case m == nil:
	case sure:
		m.alignments.WithLabelValues("clear").Inc()
	default:
		m.alignments.WithLabelValues("unclear").Inc()
	}
}
