package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"longwave/packager"
)

// Metrics are the figures of all stores of a process. A nil *Metrics is not
// ready: see [NewMetrics].
type Metrics struct {
	putDuration *prometheus.HistogramVec
	putBytes    *prometheus.CounterVec
	operations  *prometheus.CounterVec
	deleted     *prometheus.CounterVec
	deletedSize *prometheus.CounterVec
	sweeps      *prometheus.CounterVec
	kept        *prometheus.GaugeVec
}

// NewMetrics registers the figures; reg may be nil. The label "store" has the
// values that are given to [Metrics.Watch].
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "longwave_store_" + name, Help: help}, labels)
	}
	return &Metrics{
		putDuration: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "longwave_store_put_duration_seconds",
			Help:    "Time until an object was kept, or until that failed, by store and result.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .2, .32, .5, 1, 1.92, 4, 10},
		}, []string{"store", "result"}),
		putBytes:    counter("put_bytes_total", "Bytes of objects that were kept.", "store"),
		operations:  counter("operations_total", "Reads, listings and deletions, by result.", "store", "operation", "result"),
		deleted:     counter("retained_deletions_total", "Objects deleted because they were old or too many, by kind.", "store", "kind"),
		deletedSize: counter("retained_deletions_bytes_total", "Bytes of these objects.", "store", "kind"),
		sweeps:      counter("sweeps_total", "Looks for what is old, by result.", "store", "result"),
		kept: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "longwave_store_kept_bytes",
			Help: "Bytes of all objects after the last look for what is old.",
		}, []string{"store"}),
	}
}

// Watch returns s with its figures counted under the label: "disk", "s3", or the
// name that the configuration gives to the store.
func (m *Metrics) Watch(label string, s Store) Store { return &watched{Store: s, m: m, label: label} }

type watched struct {
	Store
	m     *Metrics
	label string
}

func (w *watched) Put(ctx context.Context, o packager.Object) error {
	start := time.Now()
	err := w.Store.Put(ctx, o)
	w.wrote(ctx, start, len(o.Data), err)
	return err
}

func (w *watched) PutIf(ctx context.Context, n Name, data []byte, c Condition) (ETag, error) {
	start := time.Now()
	etag, err := w.Store.PutIf(ctx, n, data, c)
	w.wrote(ctx, start, len(data), err)
	return etag, err
}

func (w *watched) wrote(ctx context.Context, start time.Time, size int, err error) {
	w.m.putDuration.WithLabelValues(w.label, result(ctx, err)).Observe(time.Since(start).Seconds())
	if err == nil {
		w.m.putBytes.WithLabelValues(w.label).Add(float64(size))
	}
}

func (w *watched) Get(ctx context.Context, n Name) (Object, error) {
	o, err := w.Store.Get(ctx, n)
	w.did(ctx, "get", err)
	return o, err
}

func (w *watched) Head(ctx context.Context, n Name) (Info, error) {
	info, err := w.Store.Head(ctx, n)
	w.did(ctx, "head", err)
	return info, err
}

func (w *watched) List(ctx context.Context, prefix string, after Name) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		var last error
		defer func() { w.did(ctx, "list", last) }()
		for info, err := range w.Store.List(ctx, prefix, after) {
			if last = err; !yield(info, err) {
				return
			}
		}
	}
}

func (w *watched) Delete(ctx context.Context, n Name) error {
	err := w.Store.Delete(ctx, n)
	w.did(ctx, "delete", err)
	return err
}

func (w *watched) did(ctx context.Context, operation string, err error) {
	w.m.operations.WithLabelValues(w.label, operation, result(ctx, err)).Inc()
}

// result is the value of the label "result".
func result(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrConflict):
		return "conflict"
	case errors.Is(err, ErrNotFound):
		return "missing"
	case errors.Is(err, ErrFull):
		return "full"
	case errors.Is(err, ErrRefused), errors.Is(err, ErrName):
		return "refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "timeout"
	case ctx.Err() != nil:
		return "left"
	}
	return "error"
}
