package decode

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	restarts  *prometheus.CounterVec
	damaged   *prometheus.CounterVec
	concealed prometheus.Counter
}

// newMetrics returns the counters that live in r; every decoder has the same.
func newMetrics(r prometheus.Registerer) metrics {
	return metrics{
		restarts: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_decode_restarts_total",
			Help: "Decoder processes that died or hung and were started again, by codec.",
		}, []string{"codec"})),
		damaged: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_decode_damaged_bytes_total",
			Help: "Bytes of sources that were no valid frame, page or packet, by codec.",
		}, []string{"codec"})),
		concealed: register(r, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "longwave_decode_concealed_seconds_total",
			Help: "Sound that was invented to bridge losses inside Opus streams.",
		})),
	}
}

// register registers c in r, or returns what is registered there in its place.
func register[C prometheus.Collector](r prometheus.Registerer, c C) C {
	if r == nil {
		return c
	}
	err := r.Register(c)
	if known, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if c, ok := known.ExistingCollector.(C); ok {
			return c
		}
	}
	if err != nil {
		panic(err) // two metrics of one name: a mistake in the program
	}
	return c
}
