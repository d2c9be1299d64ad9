package broadcast

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count a show's life. Label phase: auto, scheduled, doors, live, ended; label
// result: ok, failed.
type metrics struct{ attempts *prometheus.CounterVec }

func newMetrics(reg prometheus.Registerer, s *Show) *metrics {
	m := &metrics{attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "longwave_broadcast_keep_attempts_total", Help: "Attempts to read or keep the show's state, by result.",
	}, []string{"result"})}
	if reg == nil {
		return m
	}
	reg.MustRegister(m.attempts)
	gauge := func(name, help string, labels prometheus.Labels, value func(Record, time.Time) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: "longwave_broadcast_" + name, Help: help, ConstLabels: labels},
			func() float64 {
				r, _ := s.Look()
				return value(r, time.Now())
			},
		))
	}
	for _, p := range []Phase{Auto, Scheduled, Doors, Live, Ended} {
		gauge("phase", "1 for the phase in which the station is.", prometheus.Labels{"phase": string(p)}, func(r Record, _ time.Time) float64 {
			if r.Phase == p {
				return 1
			}
			return 0
		})
	}
	gauge("late_seconds", "By how much the current broadcast is late, or was when it went live.", nil, func(r Record, now time.Time) float64 {
		b, _ := r.Broadcast(r.Current)
		return b.Late(now).Seconds()
	})
	gauge("unkept_deeds", "Deeds that the store does not have yet.", nil, func(Record, time.Time) float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(len(s.pending))
	})
	gauge("store_failing_seconds", "For how long nothing can be kept; 0: it can.", nil, func(_ Record, now time.Time) float64 {
		if t := s.Trouble(); !t.IsZero() {
			return now.Sub(t).Seconds()
		}
		return 0
	})
	return m
}

func (m *metrics) kept(err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.attempts.WithLabelValues(result).Inc()
}
