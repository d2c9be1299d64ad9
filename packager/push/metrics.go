package push

import "github.com/prometheus/client_golang/prometheus"

// metrics are what a queue counts. Label: store, the name of the queue's store.
type metrics struct {
	failures, lost, spooled, hedged, sheds prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, name string, q *Queue) *metrics {
	labels := prometheus.Labels{"store": name}
	counter := func(metric, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "longwave_push_" + metric, Help: help, ConstLabels: labels})
	}
	gauge := func(metric, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "longwave_push_" + metric, Help: help, ConstLabels: labels},
			func() float64 {
				q.mu.Lock()
				defer q.mu.Unlock()
				return value()
			})
	}
	m := &metrics{
		failures: counter("failures_total", "Puts that failed, the repeated ones included."),
		lost:     counter("lost_objects_total", "Objects that were given up."),
		spooled:  counter("spooled_objects_total", "Objects that the store gets from this machine's disk, later."),
		hedged:   counter("hedged_total", "Puts that were sent a second time because the first took long."),
		sheds:    counter("sheds_total", "Times that a rendition was taken from a store that was too slow for it."),
	}
	if reg == nil {
		return m
	}
	reg.MustRegister(m.failures, m.lost, m.spooled, m.hedged, m.sheds,
		gauge("waiting_objects", "Objects that the store does not have yet, the backlog not included.",
			func() float64 { return float64(len(q.line.jobs) + len(q.busy)) }),
		gauge("waiting_bytes", "Bytes of memory that they take.", func() float64 { return float64(q.line.bytes) }),
		gauge("oldest_age_seconds", "How long the store has been lacking something, the backlog included.",
			func() float64 { return max(q.line.age(), q.backlog.age()).Seconds() }),
		gauge("backlog_objects", "Objects that the store lacks and this machine's disk has.", func() float64 { return float64(q.backlog.count) }),
		gauge("shed_renditions", "Renditions that the store is spared because it is too slow.", func() float64 { return float64(q.load.shed) }),
		gauge("refused", "1 while the store refuses what we send until somebody acts, as with wrong credentials.",
			func() float64 {
				if q.health.refused {
					return 1
				}
				return 0
			}),
	)
	return m
}
