package studio

import (
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what the API does. Label route: the routes' patterns; label code: the
// status; label reason: gone, slow, or what bye says.
type metrics struct {
	requests, ended *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, open *streams) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_studio_requests_total", Help: "Requests to the studio's API, by method, route and status.",
		}, []string{"method", "route", "code"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_studio_streams_ended_total", Help: "Event streams that ended, by reason.",
		}, []string{"reason"}),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.ended, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "longwave_studio_streams", Help: "Event streams that are open.",
		}, func() float64 { return float64(open.count()) }))
	}
	return m
}

func (m *metrics) answered(r *http.Request, status int) {
	m.requests.WithLabelValues(verb(r.Method), route(r), strconv.Itoa(status)).Inc()
}

// verb returns a method as a label: those that a client made up are one.
func verb(method string) string {
	for _, m := range methods {
		if m == method {
			return m
		}
	}
	return "other"
}

// route returns the pattern of the request's route; "none" where there is none, so that
// nobody can make up labels.
func route(r *http.Request) string {
	c := chi.RouteContext(r.Context())
	if c == nil || len(c.RoutePatterns) == 0 {
		return "none"
	}
	return c.RoutePattern()
}
