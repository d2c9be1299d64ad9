package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// astray is how far the wall clock may move away from the programme's before it is
// said: listeners' delay and the names that a restart chooses follow the wall clock.
const astray = 500 * time.Millisecond

// watchClock says when somebody sets the machine's clock, or it slept: the programme
// goes on in its own time, and meets the wall clock again at the next start.
func (n *node) watchClock(ctx context.Context) error {
	n.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "longwave_clock_drift_seconds",
		Help: "How far the wall clock has moved away from the programme's clock since the start.",
	}, func() float64 { return n.clock.Drift().Seconds() }))
	t := time.NewTicker(10 * time.Second)
	defer t.Stop()
	said := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if drift := n.clock.Drift(); (drift - said).Abs() > astray {
			said = drift
			n.log.Warn("the wall clock was set: the programme keeps its own time until the next start", "drift", drift.Round(time.Millisecond))
		}
	}
}
