package packager

import "github.com/prometheus/client_golang/prometheus"

// metrics are what the packager counts. Labels: rendition, a rung of the ladder.
type metrics struct {
	parts, segments, bytes, filled *prometheus.CounterVec
	encode, edge                   prometheus.Histogram
	slow                           prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, ladder []Rung) *metrics {
	vec := func(name, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "longwave_packager_" + name, Help: help}, []string{"rendition"})
		for _, r := range ladder {
			c.WithLabelValues(r.Name)
		}
		return c
	}
	m := &metrics{
		parts:    vec("parts_total", "Parts published, by rendition."),
		segments: vec("segments_total", "Segments published, by rendition."),
		bytes:    vec("media_bytes_total", "Bytes of parts published, by rendition."),
		filled:   vec("filled_segments_total", "Segments of near-silence in the place of missed ones, by rendition."),
		encode: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "longwave_packager_encode_duration_seconds",
			Help:    "Time to code 20 ms of the programme in every rendition.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .5},
		}),
		edge: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "longwave_packager_live_edge_delay_seconds",
			Help:    "Programme time minus the end of a part when it is listed: how far the live edge is behind.",
			Buckets: []float64{.005, .01, .02, .03, .05, .08, .1, .2, .5, 1, 5},
		}),
		slow: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "longwave_packager_local_store_slow_total",
			Help: "Times that a segment was named before the local store had it.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.parts, m.segments, m.bytes, m.filled, m.encode, m.edge, m.slow)
	}
	return m
}
