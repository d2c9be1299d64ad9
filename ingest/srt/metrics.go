package srt

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
	resultMalformed    = "malformed"    // not what it should be: the handshake, or the transport stream
	resultUnsupported  = "unsupported"  // sound of a kind that is not taken
	resultUndecodable  = "undecodable"  // not audio, or no longer
	resultBusy         = "busy"         // no seat, or too many connections
	resultUnauthorized = "unauthorized" // a token or passphrase that is not ours
	resultForbidden    = "forbidden"    // a token that does not fit
)

func newMetrics(r prometheus.Registerer) metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "longwave_srt_" + name, Help: help})
	}
	m := metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "longwave_srt_connections",
			Help: "SRT connections now.",
		}),
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "longwave_srt_sources",
			Help: "SRT sources on a lane now, by codec.",
		}, []string{"codec"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_srt_sources_total",
			Help: "SRT connections that ended or were refused, by codec and result.",
		}, []string{"codec", "result"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_srt_received_bytes_total",
			Help: "Bytes of sound that SRT sources sent, by codec.",
		}, []string{"codec"}),
		damaged: counter("damaged_units_total", "Pieces of transport streams that could not be read and were left out."),
		lost:    counter("lost_seconds_total", "Sound that was missing between timestamps and was filled with silence."),
		jumps:   counter("timestamp_jumps_total", "Times that a source's timestamps jumped."),
	}
	if r != nil {
		r.MustRegister(m.connections, m.active, m.ended, m.bytes, m.damaged, m.lost, m.jumps)
	}
	return m
}

func (m metrics) gap(d time.Duration) { m.lost.Add(d.Seconds()) }
