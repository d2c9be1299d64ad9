package jitter

import (
	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/pcm"
)

// Metrics count what happens to all streams that are given them. A nil *Metrics
// counts nothing.
type Metrics struct {
	underruns, skips prometheus.Counter
	skipped          prometheus.Counter

	packets    [len(packetResults)]prometheus.Counter
	lost       prometheus.Counter
	red, fec   prometheus.Counter // recovered
	concealed  prometheus.Counter
	reanchored prometheus.Counter
	delay      prometheus.Histogram
}

// A packetResult is what became of a packet when it came.
type packetResult uint8

const (
	packetCarried packetResult = iota
	packetLate
	packetDuplicate
	packetMalformed
	packetStray  // neither its number nor its time fit
	packetExcess // there is no room, or it is for a time too far off
)

var packetResults = [...]string{"carried", "late", "duplicate", "malformed", "stray", "excess"}

// NewMetrics registers the counters; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "longwave_jitter_" + name, Help: help})
	}
	m := &Metrics{
		underruns: counter("underruns_total", "Times a source ran dry."),
		skips:     counter("skips_total", "Times sound was taken out of a source to come back to its target delay."),
		skipped:   counter("skipped_seconds_total", "Sound that was taken out."),
	}
	packets := vec("packets_total", "Packets by what became of them when they came.", "result")
	for i, r := range packetResults {
		m.packets[i] = packets.WithLabelValues(r)
	}
	m.lost = counter("packets_lost_total", "Packets that were not there when they were due.")
	recovered := vec("packets_recovered_total", "Packets of those that were had otherwise.", "by")
	m.red, m.fec = recovered.WithLabelValues("red"), recovered.WithLabelValues("fec")
	m.concealed = counter("concealed_seconds_total", "Sound that was made up.")
	m.reanchored = counter("reanchored_total", "Times the playout was put to another time.")
	m.delay = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "longwave_jitter_delay_seconds", Help: "Delay of the packets of live speakers, each once a second.",
		Buckets: []float64{.04, .06, .08, .1, .15, .2, .3, .4, .6},
	})
	if reg != nil {
		reg.MustRegister(m.underruns, m.skips, m.skipped, packets, m.lost, recovered,
			m.concealed, m.reanchored, m.delay)
	}
	return m
}

func vec(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "longwave_jitter_" + name, Help: help}, []string{label})
}

func (m *Metrics) packet(r packetResult) {
	if m != nil {
		m.packets[r].Inc()
	}
}

// tell counts what happened to a buffer of packets between two states.
func (m *Metrics) tell(then, now *State) {
	if m == nil {
		return
	}
	a, b := &then.Packets, &now.Packets
	m.lost.Add(float64(b.Lost - a.Lost))
	m.red.Add(float64(b.RecoveredRED - a.RecoveredRED))
	m.fec.Add(float64(b.RecoveredFEC - a.RecoveredFEC))
	m.concealed.Add(float64(b.Concealed-a.Concealed) / pcm.Rate)
	m.reanchored.Add(float64(b.Reanchored - a.Reanchored))
	m.underruns.Add(float64(now.Underruns - then.Underruns))
	m.skipped.Add(float64(now.Skipped-then.Skipped) / pcm.Rate)
	if now.Phase == Playing {
		m.delay.Observe(b.Delay.Seconds())
	}
}

func (m *Metrics) ranDry() {
	if m != nil {
		m.underruns.Inc()
	}
}

func (m *Metrics) skip(seconds float64) {
	if m != nil {
		m.skips.Inc()
		m.skipped.Add(seconds)
	}
}
