package follow

import "github.com/prometheus/client_golang/prometheus"

// metrics are what a follower counts.
type metrics struct {
	failures, playlists, bytes prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "longwave_follow_" + name, Help: help})
	}
	m := &metrics{
		failures:  counter("failures_total", "Looks at the store that failed."),
		playlists: counter("playlists_total", "New versions of playlists that were taken."),
		bytes:     counter("read_bytes_total", "Bytes of media that were read."),
	}
	if reg != nil {
		reg.MustRegister(m.failures, m.playlists, m.bytes)
	}
	return m
}
