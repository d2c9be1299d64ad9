package rtmp

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/parting"
)

type metrics struct {
	connections prometheus.Gauge
	active      *prometheus.GaugeVec
	ended       *prometheus.CounterVec
	bytes       *prometheus.CounterVec
	damaged     prometheus.Counter
	lost        prometheus.Counter
	jumps       prometheus.Counter
}

// How a connection ended: the closed set of the label "result".
const (
	resultEnded        = parting.Ended  // the client said goodbye
	resultStalled      = "stalled"      // no sound for too long
	resultClosed       = parting.Closed // by us: taken over, removed, shut down
	resultBroken       = parting.Broken // the connection failed
	resultMalformed    = "malformed"    // not RTMP, or no longer
	resultUnsupported  = "unsupported"  // sound of a kind that is not taken
	resultUndecodable  = "undecodable"  // not audio, or no longer
	resultBusy         = "busy"         // no seat, or too many connections
	resultUnauthorized = "unauthorized" // a token that is not ours
	resultForbidden    = "forbidden"    // a token that does not fit
)

func newMetrics(r prometheus.Registerer) metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "longwave_rtmp_" + name, Help: help})
	}
	m := metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "longwave_rtmp_connections",
			Help: "RTMP connections now, with a token or without.",
		}),
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "longwave_rtmp_sources",
			Help: "RTMP sources on a lane now, by codec.",
		}, []string{"codec"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_rtmp_sources_total",
			Help: "RTMP connections that ended or were refused, by codec and result.",
		}, []string{"codec", "result"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_rtmp_received_bytes_total",
			Help: "Bytes of sound that RTMP sources sent, by codec.",
		}, []string{"codec"}),
		damaged: counter("damaged_messages_total", "Messages that could not be read and were left out."),
		lost:    counter("lost_seconds_total", "Sound that was missing between timestamps and was filled with silence."),
		jumps:   counter("timestamp_jumps_total", "Times that a source's timestamps jumped."),
	}
	if r != nil {
		r.MustRegister(m.connections, m.active, m.ended, m.bytes, m.damaged, m.lost, m.jumps)
	}
	return m
}

func (m metrics) gap(d time.Duration) { m.lost.Add(d.Seconds()) }
