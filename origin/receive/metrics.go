package receive

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What became of a push, as a label: a closed set.
const (
	reasonTaken    = "taken"
	reasonMethod   = "method"
	reasonNoToken  = "no_token"
	reasonToken    = "wrong_token"
	reasonKey      = "not_a_key"
	reasonStation  = "other_station"
	reasonLarge    = "too_large"
	reasonFull     = "full"
	reasonBusy     = "busy"
	reasonBody     = "malformed"
	reasonMissing  = "missing"
	reasonOrder    = "out_of_order"
	reasonConflict = "other_bytes"
	reasonInternal = "internal"
)

var reasons = []string{
	reasonTaken, reasonMethod, reasonNoToken, reasonToken, reasonKey, reasonStation, reasonLarge, reasonFull,
	reasonBusy, reasonBody, reasonMissing, reasonOrder, reasonConflict, reasonInternal,
}

// metrics are what a server counts.
type metrics struct {
	requests *prometheus.CounterVec // result
	bytes    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, s *Server) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_receive_requests_total",
			Help: "Pushes of other nodes and encoders: taken, or why they were refused.",
		}, []string{"result"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "longwave_receive_bytes_total",
			Help: "Bytes that were taken, uncompressed.",
		}),
	}
	for _, r := range reasons {
		m.requests.WithLabelValues(r)
	}
	if reg == nil {
		return m
	}
	reg.MustRegister(m.requests, m.bytes)
	for name, st := range s.stations {
		labels := prometheus.Labels{"station": name}
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "longwave_receive_station_bytes", Help: "Bytes of media of a station in memory.", ConstLabels: labels,
		}, func() float64 {
			_, size := s.opt.Live.Size(name)
			return float64(size)
		}), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "longwave_receive_last_push_timestamp_seconds", Help: "When something of a station was last taken, as a Unix time; 0 is never.", ConstLabels: labels,
		}, st.lastPush))
	}
	return m
}

// lastPush is a Unix time in seconds, 0 when there was none.
func (st *station) lastPush() float64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.last.IsZero() {
		return 0
	}
	return float64(st.last.UnixNano()) / float64(time.Second)
}
