package ingest

import (
	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/mix"
)

// gateMetrics count who came to the gate. Label transport: icecast, file.
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

// programmeMetrics watch one programme. Label station: the stations of the
// configuration.
type programmeMetrics struct {
	late      prometheus.Histogram
	underruns prometheus.Counter
}

func newProgrammeMetrics(reg prometheus.Registerer, p *Programme) *programmeMetrics {
	labels := prometheus.Labels{"station": p.opt.Station}
	m := &programmeMetrics{
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "longwave_programme_frame_lateness_seconds", ConstLabels: labels,
			Help:    "How long after it was due a frame of 20 ms was mixed.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1},
		}),
		underruns: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "longwave_programme_lane_underruns_total", ConstLabels: labels,
			Help: "Times that a lane ran dry, counted when it closes.",
		}),
	}
	if reg == nil {
		return m
	}
	reg.MustRegister(m.late, m.underruns)
	for _, g := range []struct {
		name, help string
		read       func(mix.Snapshot) float64
	}{
		{"lanes", "Lanes on the mixer.", func(s mix.Snapshot) float64 { return float64(s.Lanes) }},
		{"live", "1 while speakers are on air, 0 while the hold is.", func(s mix.Snapshot) float64 { return oneIf(s.OnAir == "live") }},
		{"dead_air_stage", "0 sounding, 1 warned (5 s), 2 alarmed (15 s), 3 replaced by the hold (30 s).", func(s mix.Snapshot) float64 { return float64(s.DeadAir) }},
		{"loudness_momentary_lufs", "Loudness of the last 400 ms (EBU R 128).", func(s mix.Snapshot) float64 { return s.Loudness.Momentary }},
		{"loudness_short_term_lufs", "Loudness of the last 3 s (EBU R 128).", func(s mix.Snapshot) float64 { return s.Loudness.ShortTerm }},
		{"loudness_integrated_lufs", "Gated loudness since the start (EBU R 128).", func(s mix.Snapshot) float64 { return s.Loudness.Integrated }},
		{"true_peak_dbtp", "Highest true peak since the start.", func(s mix.Snapshot) float64 { return s.Loudness.TruePeak }},
	} {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "longwave_programme_" + g.name, Help: g.help, ConstLabels: labels,
		}, func() float64 { return g.read(p.mixer.Snapshot()) }))
	}
	return m
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
