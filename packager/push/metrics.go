package push

import "github.com/prometheus/client_golang/prometheus"

// metrics are what a queue counts. Label: store, the name of the queue's store.
type metrics struct {
	failures, lost prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, name string, q *Queue) *metrics {
	labels := prometheus.Labels{"store": name}
	counter := func(metric, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "longwave_push_" + metric, Help: help, ConstLabels: labels})
	}
	m := &metrics{
		failures: counter("failures_total", "Puts that failed, the repeated ones included."),
		lost:     counter("lost_objects_total", "Objects that were given up."),
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "longwave_push_waiting_objects", Help: "Objects that the store does not have yet.", ConstLabels: labels,
	}, func() float64 { return float64(q.Waiting()) })
	age := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "longwave_push_oldest_age_seconds", Help: "How long the oldest of them has been waiting.", ConstLabels: labels,
	}, func() float64 { return q.age().Seconds() })
	if reg != nil {
		reg.MustRegister(m.failures, m.lost, waiting, age)
	}
	return m
}
