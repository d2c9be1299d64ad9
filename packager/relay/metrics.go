package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/packager"
)

// metrics are what a relay counts. Label: remote, its name.
type metrics struct {
	requests  *prometheus.CounterVec // kind, result
	bytes     prometheus.Counter
	conflicts prometheus.Counter
	fills     prometheus.Counter
	sheds     prometheus.Counter
	delay     prometheus.Histogram
}

// What became of a request, as a label: a closed set.
const (
	resultDone     = "done"
	resultMissing  = "missing"
	resultOrder    = "out_of_order"
	resultToken    = "token"
	resultRefused  = "refused"
	resultServer   = "server"
	resultTimeout  = "timeout"
	resultConnect  = "connect"
	resultBroken   = "broken"
	resultInternal = "internal"
)

func newMetrics(reg prometheus.Registerer, name string, r *Relay) *metrics {
	labels := prometheus.Labels{"remote": name}
	counter := func(metric, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "longwave_relay_" + metric, Help: help, ConstLabels: labels})
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "longwave_relay_requests_total", Help: "Requests to the other origin, by what was sent and what became of it.", ConstLabels: labels,
		}, []string{"kind", "result"}),
		bytes:     counter("sent_bytes_total", "Bytes of bodies that the other origin took."),
		conflicts: counter("conflicts_total", "Objects that are there with other bytes: another node pushes the same station."),
		fills:     counter("fills_total", "Times that a rendition was filled there, because it has just started or was away."),
		sheds:     counter("sheds_total", "Times that a rendition was taken off the other origin because the way is too narrow."),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "longwave_relay_delay_seconds", Help: "From when a part is made to when the other origin's playlist names it.", ConstLabels: labels,
			Buckets: []float64{.005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10},
		}),
	}
	if reg == nil {
		return m
	}
	gauge := func(metric, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "longwave_relay_" + metric, Help: help, ConstLabels: labels}, value)
	}
	reg.MustRegister(m.requests, m.bytes, m.conflicts, m.fills, m.sheds, m.delay,
		gauge("lag_seconds", "How long the oldest part waits that the other origin does not name; of the rendition that is furthest behind.", r.lag),
		gauge("shed_renditions", "Renditions that are not sent because the way is too narrow.", r.shedCount),
		gauge("window_bytes", "Bytes that are kept in memory for the other origin.", r.windowBytes),
		gauge("failing", "1 while the other origin takes nothing.", r.health.value))
	return m
}

func (r *Relay) lag() float64 {
	var lag float64
	for _, w := range r.all() {
		if !w.isShed() {
			lag = max(lag, w.window.lag().Seconds())
		}
	}
	return lag
}

func (r *Relay) shedCount() float64 {
	n := 0.0
	for _, w := range r.all() {
		if w.isShed() {
			n++
		}
	}
	return n
}

func (r *Relay) windowBytes() float64 {
	n := 0
	for _, w := range r.all() {
		n += w.window.size()
	}
	return float64(n)
}

func kindOf(q request) string {
	switch {
	case q.remove:
		return "delete"
	case q.key.Kind == packager.Part:
		return "part"
	case q.key.Kind == packager.Segment:
		return "segment"
	case q.key.Kind == packager.Media:
		return "playlist"
	case q.key.Kind == packager.Init:
		return "init"
	}
	return "list"
}

func reasonOf(err error) string {
	var no *refusal
	var timeout net.Error
	switch {
	case err == nil:
		return resultDone
	case errors.As(err, &no) && no.Reason == reasonMissing:
		return resultMissing
	case errors.As(err, &no) && no.Reason == reasonOrder:
		return resultOrder
	case errors.As(err, &no) && (no.Status == http.StatusUnauthorized || no.Status == http.StatusForbidden):
		return resultToken
	case errors.As(err, &no) && no.Status < 500:
		return resultRefused
	case errors.As(err, &no):
		return resultServer
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return resultTimeout
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), isDNS(err):
		return resultConnect
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return resultBroken
	}
	return resultInternal
}

func isDNS(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns)
}
