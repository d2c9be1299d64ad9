package whip

import "github.com/prometheus/client_golang/prometheus"

// How a session ended or why there was none: the closed set of the label "result".
const (
	resultDeleted      = "deleted"      // the client said goodbye
	resultVanished     = "vanished"     // no media, or no answer to ICE, for too long
	resultNotConnected = "notconnected" // an answer was fetched and nobody came
	resultTakenOver    = "takenover"    // the same token connected again
	resultRemoved      = "removed"      // by the host
	resultFlooded      = "flooded"      // too much, too long
	resultBroken       = "broken"       // by an error of ours or of the transport
	resultClosed       = "closed"       // its programme ends
	resultShutdown     = "shutdown"     // the server ends
	resultBusy         = "busy"         // no seat or no place for a session
	resultUnauthorized = "unauthorized" // a token that is not ours
	resultForbidden    = "forbidden"    // a token that does not fit
	resultBadRequest   = "badrequest"   // not an offer that can be answered
)

// What became of a packet: the closed set of the label "result".
const (
	packetCarried   = "carried"   // to the lane
	packetRecovered = "recovered" // found again in another one (RFC 2198)
	packetMalformed = "malformed" // not RTP, not Opus, not a payload type of the answer
	packetOversized = "oversized" // longer than Opus can be
	packetExcess    = "excess"    // over the rate that a session may have
)

type metrics struct {
	sessions  *prometheus.GaugeVec
	ended     *prometheus.CounterVec
	packets   *prometheus.CounterVec
	lost      prometheus.Counter
	bytes     prometheus.Counter
	sent      prometheus.Counter
	connect   prometheus.Histogram
	datagrams prometheus.Counter
	iceDown   prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		sessions: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "longwave_whip_sessions",
			Help: "WebRTC sessions now: whip speaks, whep hears.",
		}, []string{"kind"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_whip_sessions_total",
			Help: "WebRTC sessions that ended or were refused, by kind and result.",
		}, []string{"kind", "result"}),
		packets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_whip_packets_total",
			Help: "Opus packets that speakers sent, by what became of them.",
		}, []string{"result"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "longwave_whip_lost_packets_total",
			Help: "Opus packets that neither came nor were found again in another one.",
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "longwave_whip_received_bytes_total",
			Help: "Bytes of RTP payload that speakers sent.",
		}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "longwave_whip_return_packets_total",
			Help: "Opus packets of returns that were sent.",
		}),
		connect: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "longwave_whip_connect_seconds",
			Help:    "Time from the answer to the end of the DTLS handshake.",
			Buckets: []float64{0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10},
		}),
		datagrams: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "longwave_whip_dropped_datagrams_total",
			Help: "Datagrams that were dropped unread because their sender sent too many.",
		}),
	}
	m.iceDown = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "longwave_whip_ice_servers_down",
		Help: "STUN and TURN servers of the configuration that do not serve, asked from here.",
	})
	for _, k := range []kind{whip, whep} {
		m.sessions.WithLabelValues(string(k))
	}
	if r != nil {
		r.MustRegister(m.sessions, m.ended, m.packets, m.lost, m.bytes, m.sent, m.connect, m.datagrams, m.iceDown)
	}
	return m
}
