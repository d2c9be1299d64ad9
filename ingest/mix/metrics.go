package mix

import (
	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
)

// register publishes what a mixer's snapshot tells. The figures are taken when
// they are asked for, so the frame's path has nothing to do with it.
func register(reg prometheus.Registerer, snapshot func() Snapshot) {
	if reg == nil {
		return
	}
	gauge := func(name, help string, labels prometheus.Labels, value func(Snapshot) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: "longwave_mix_" + name, Help: help, ConstLabels: labels},
			func() float64 { return value(snapshot()) },
		))
	}
	for window, of := range map[string]func(loudness.Reading) float64{
		"momentary":  func(r loudness.Reading) float64 { return r.Momentary },
		"short_term": func(r loudness.Reading) float64 { return r.ShortTerm },
		"integrated": func(r loudness.Reading) float64 { return r.Integrated },
	} {
		gauge("loudness_lufs", "Loudness of the programme (EBU R 128), by window.", prometheus.Labels{"window": window},
			func(s Snapshot) float64 { return of(s.Loudness) })
	}
	gauge("true_peak_dbtp", "Highest true peak since the loudness was last reset.", nil,
		func(s Snapshot) float64 { return s.Loudness.TruePeak })
	gauge("limiter_gain_db", "What the limiter did to the last frame; 0 is nothing.", nil,
		func(s Snapshot) float64 { return s.LimiterDB })
	gauge("voices_gain_db", "Slow gain that brings the live voices to the target loudness.", nil,
		func(s Snapshot) float64 { return s.VoicesDB })
	gauge("speaking_lanes", "Lanes on air in which somebody speaks.", nil,
		func(s Snapshot) float64 { return float64(s.Speaking) })
	gauge("lanes", "Lanes on the mixer.", nil,
		func(s Snapshot) float64 { return float64(s.Lanes) })
	gauge("live", "1 while the lanes are on air, 0 while the hold is.", nil, func(s Snapshot) float64 {
		if s.OnAir == pcm.OnAirLive {
			return 1
		}
		return 0
	})
	gauge("dead_air_stage", "Silence although somebody is connected: 1 after 5 s, 2 after 15 s, 3 when the hold took over.", nil,
		func(s Snapshot) float64 { return float64(s.DeadAir) })
	reg.MustRegister(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Name: "longwave_mix_faulty_frames_total", Help: "Frames of lanes that were thrown away because they held no numbers."},
		func() float64 { return float64(snapshot().Faults) },
	))
}
