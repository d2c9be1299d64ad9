package origin

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// What a request was for, as a label: a closed set.
const (
	kindPlaylist = iota
	kindBlocking
	kindMultivariant
	kindPart
	kindSegment
	kindInit
	kindPage
	kindOther
	kinds
)

var kindNames = [kinds]string{"playlist", "blocking", "multivariant", "part", "segment", "init", "page", "other"}

// The statuses that the server answers, as a label; 499 is a listener that left.
var statuses = []int{
	http.StatusOK, http.StatusPartialContent, http.StatusNotModified, http.StatusBadRequest,
	http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestedRangeNotSatisfiable, 499, http.StatusInternalServerError,
}

// metrics are what the origin counts. The counters of every label are looked up
// once, so that a request costs two additions.
type metrics struct {
	requests [kinds]map[int]prometheus.Counter
	bytes    [kinds]prometheus.Counter
	archive  *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, live *Live) *metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "longwave_origin_requests_total",
		Help: "Requests of the audience's side, by what was asked for and status; 499 is a listener that left.",
	}, []string{"kind", "status"})
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "longwave_origin_response_bytes_total",
		Help: "Bytes of response bodies, by what was asked for.",
	}, []string{"kind"})
	m := &metrics{archive: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "longwave_origin_archive_reads_total",
		Help: "Objects looked for in the store because memory did not have them, by result.",
	}, []string{"result"})}
	for k, name := range kindNames {
		m.requests[k] = map[int]prometheus.Counter{}
		for _, status := range statuses {
			m.requests[k][status] = requests.WithLabelValues(name, strconv.Itoa(status))
		}
		m.bytes[k] = bytes.WithLabelValues(name)
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "longwave_origin_waiting_requests",
		Help: "Requests that wait for a playlist or a part.",
	}, func() float64 { return float64(live.waiting.Load()) })
	if reg != nil {
		reg.MustRegister(requests, bytes, m.archive, waiting)
	}
	return m
}

func (m *metrics) count(kind, status, bytes int) {
	c, ok := m.requests[kind][status]
	if !ok {
		c = m.requests[kind][http.StatusInternalServerError]
	}
	c.Inc()
	m.bytes[kind].Add(float64(bytes))
}
