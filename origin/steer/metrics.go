package steer

import "github.com/prometheus/client_golang/prometheus"

// metrics are what is counted. Labels: station, pathway (as configured), fault.
type metrics struct {
	bad       *prometheus.CounterVec
	good      *prometheus.GaugeVec
	listed    *prometheus.GaugeVec
	firstByte *prometheus.GaugeVec
	behind    *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer, station string, ways []Pathway) *metrics {
	labels := prometheus.Labels{"station": station}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "longwave_pathway_" + name, Help: help, ConstLabels: labels}, []string{"pathway"})
	}
	m := &metrics{
		bad: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_pathway_bad_probes_total", Help: "Probes of a pathway that found a fault.", ConstLabels: labels,
		}, []string{"pathway", "fault"}),
		good:      gauge("good", "Whether the probes find the pathway good: 1 or 0."),
		listed:    gauge("listed", "Whether players are told to take the pathway: 1 or 0."),
		firstByte: gauge("first_byte_seconds", "How long the first byte of the last playlist took."),
		behind:    gauge("behind_seconds", "How far the last playlist was behind ours."),
	}
	for _, w := range ways {
		for _, f := range faults {
			m.bad.WithLabelValues(w.ID, string(f))
		}
		m.judge(w.ID, true, true)
	}
	if reg != nil {
		reg.MustRegister(m.bad, m.good, m.listed, m.firstByte, m.behind)
	}
	return m
}

func (m *metrics) note(pathway string, p Probe) {
	if p.Fault != Fine {
		m.bad.WithLabelValues(pathway, string(p.Fault)).Inc()
		return
	}
	m.firstByte.WithLabelValues(pathway).Set(p.FirstByte.Seconds())
	m.behind.WithLabelValues(pathway).Set(p.Behind.Seconds())
}

func (m *metrics) judge(pathway string, good, listed bool) {
	number := map[bool]float64{true: 1}
	m.good.WithLabelValues(pathway).Set(number[good])
	m.listed.WithLabelValues(pathway).Set(number[listed])
}
