package pull

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	active    prometheus.Gauge
	ended     *prometheus.CounterVec
	bytes     prometheus.Counter
	addresses prometheus.Counter
	segments  *prometheus.CounterVec
}

// How a connection ended: the closed set of the label "result".
const (
	resultEnded       = "ended"       // the other side had no more
	resultStalled     = "stalled"     // nothing, or next to nothing, for too long
	resultClosed      = "closed"      // by us: removed, taken over, shut down
	resultBroken      = "broken"      // no connection, or it failed
	resultStatus      = "status"      // an HTTP status other than 200
	resultAddress     = "address"     // not public
	resultUndecodable = "undecodable" // no sound, or no longer
	resultBusy        = "busy"        // no seat
)

// What became of a segment: the closed set of the label "result".
const (
	segmentPlayed  = "played"
	segmentLost    = "lost"    // could not be had
	segmentDamaged = "damaged" // could not be read
	segmentSkipped = "skipped" // we were too late for it
)

// newMetrics returns what is counted in r; everybody who is given the same r has the same.
func newMetrics(r prometheus.Registerer) metrics {
	return metrics{
		active: register(r, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "longwave_pull_sources",
			Help: "Fetched sources on a lane now.",
		})),
		ended: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_pull_connections_total",
			Help: "Connections to fetched sources that ended or failed, by result.",
		}, []string{"result"})),
		bytes: register(r, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "longwave_pull_received_bytes_total",
			Help: "Bytes that fetched sources sent.",
		})),
		addresses: register(r, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "longwave_pull_refused_addresses_total",
			Help: "Connections that were not made because the address is not public.",
		})),
		segments: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_pull_segments_total",
			Help: "Segments of HLS sources, by what became of them.",
		}, []string{"result"})),
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
