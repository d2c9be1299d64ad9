package icecast

import (
	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/parting"
)

type metrics struct {
	active       *prometheus.GaugeVec
	ended        *prometheus.CounterVec
	bytes        *prometheus.CounterVec
	failedLogins prometheus.Counter
}

// How a source ended: the closed set of the label "result".
const (
	resultEnded        = parting.Ended  // the client said goodbye
	resultStalled      = "stalled"      // no byte for too long
	resultClosed       = parting.Closed // by us: taken over, kicked, shut down
	resultBroken       = parting.Broken // the connection failed
	resultUndecodable  = "undecodable"  // not audio, or no longer
	resultBusy         = "busy"         // no seat
	resultUnauthorized = "unauthorized" // a token that is not ours
	resultForbidden    = "forbidden"    // a token that does not fit
)

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "longwave_icecast_sources",
			Help: "Icecast sources on a lane now, by codec.",
		}, []string{"codec"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_icecast_sources_total",
			Help: "Icecast sources that ended or were refused, by codec and result.",
		}, []string{"codec", "result"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_icecast_received_bytes_total",
			Help: "Bytes of sound that Icecast sources sent, by codec.",
		}, []string{"codec"}),
		failedLogins: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "longwave_icecast_failed_logins_total",
			Help: "Requests with a token that is not ours or does not fit.",
		}),
	}
	if r != nil {
		r.MustRegister(m.active, m.ended, m.bytes, m.failedLogins)
	}
	return m
}
