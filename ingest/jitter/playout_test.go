package jitter

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hraban/opus"

	"longwave/ingest/pcm"
)

// A stepped is a playout without sound: packets are timed and not decoded, so that
// half an hour takes a blink. Time is in samples of our clock.
type stepped struct {
	playout
	now     int64
	pending int
	silent  int     // of it, at the end
	part    float64 // of a sample that was played too little
	fills   []opKind
	lag     func(frame int64) int64 // by how much a frame is pulled late; nil: not
}

// at is when the next frame is pulled.
func (s *stepped) at() int64 {
	if s.lag == nil {
		return s.now
	}
	return s.now + s.lag(s.now/pcm.FrameSamples)
}

func newStepped() *stepped {
	s := &stepped{}
	s.pace = pace{least: leastDelay.Seconds(), most: mostDelay.Seconds(), target: startDelay.Seconds()}
	return s
}

// pull plays a frame and returns the sender's time of its first sample.
func (s *stepped) pull() (heard float64, ok bool) {
	ratio, ok := s.frame(s.at())
	s.now += pcm.FrameSamples
	if !ok {
		s.pending, s.part = 0, 0
		return 0, false
	}
	heard = float64(s.head.at) - float64(s.pending) + s.part
	s.part += ratio * pcm.FrameSamples
	need := int(s.part)
	s.part -= float64(need)
	best := opSilence
	for s.pending < need {
		o := s.next()
		best = max(best, o.kind)
		s.pending += o.n
		if s.silent += o.n; o.kind != opSilence {
			s.silent = 0
		}
	}
	s.pending -= need
	s.fills = append(s.fills, best)
	s.made(s.pending, s.pending-s.silent, false)
	return heard, true
}

// send puts a packet of dur samples that was numbered n and sent at ts.
func (s *stepped) send(n int, ts, at int64, dur int) packetResult {
	return s.put(&Packet{Seq: uint16(n), Timestamp: uint32(ts)}, format{frame: dur, dur: dur}, at)
}

const transit = 1200 // samples: 25 ms

func TestDriftOfPackets(t *testing.T) {
	const ms = pcm.Rate / 1000
	within := func(most int) func(*rand.Rand, int) int64 {
		return func(rng *rand.Rand, _ int) int64 { return int64(rng.IntN(most * ms)) }
	}
	for _, tt := range []struct {
		name string
		late func(rng *rand.Rand, n int) int64
		loss float64
		dur  int
	}{
		{"20 ms", func(*rand.Rand, int) int64 { return 0 }, 0, 960},
		{"60 ms", func(*rand.Rand, int) int64 { return 0 }, 0, 2880},
		{"jitter of 10 ms", within(10), 0, 960},
		{"jitter of 10 ms, 10 % loss", within(10), 0.1, 960},
		{"jitter of 10 ms, spikes of 80 ms", func(rng *rand.Rand, n int) int64 {
			return max(int64(rng.IntN(10*ms)), int64(80-20*(n%85))*ms)
		}, 0, 960},
	} {
		for _, ppm := range []float64{50, 500, -500} {
			t.Run(fmt.Sprintf("%s, %v ppm", tt.name, ppm), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(1, 2))
				s := newStepped()
				rate := 1 + ppm/1e6
				var queue []spot
				n, counted, worst, worstRatio, delays := 0, 0, 0.0, 0.0, 0.0
				target, still := 0.0, 0 // for how many frames the target has not moved
				first := int64(0)
				frames := 30 * 60 * 50
				for i := range frames {
					for ; float64(n*tt.dur)/rate <= float64(s.now+pcm.FrameSamples); n++ {
						if rng.Float64() >= tt.loss {
							at := int64(float64(n*tt.dur)/rate) + transit + tt.late(rng, n)
							queue = append(queue, spot{seq: int64(n), ts: int64(n * tt.dur), at: at})
						}
					}
					slices.SortStableFunc(queue, func(a, b spot) int { return int(a.at - b.at) })
					for len(queue) > 0 && queue[0].at <= s.now {
						if !s.line.begun {
							first = queue[0].ts
						}
						s.send(int(queue[0].seq), queue[0].ts, queue[0].at, tt.dur)
						queue = queue[1:]
					}
					heard, ok := s.pull()
					if still++; s.pace.target != target {
						target, still = s.pace.target, 0
					}
					if !ok || i < 60*50 || still < 10*50 {
						continue
					}
					sent := float64(s.now-pcm.FrameSamples-transit) * rate
					delay := (sent - heard - float64(first)) / pcm.Rate
					delays += delay
					counted++
					worst = max(worst, math.Abs(delay-s.pace.target))
					worstRatio = max(worstRatio, math.Abs((s.pace.drift.dev+s.pace.lean)*1e6-ppm))
				}
				t.Logf("delay %.1f ms, within %.2f ms of the target %.1f ms, ratio within %.0f ppm, %d frames counted; %d lost",
					delays/float64(counted)*1e3, worst*1e3, s.pace.target*1e3, worstRatio, counted, s.count.Lost)
				if worst > 0.005 || counted < frames/2 {
					t.Error("want within 5 ms, and the target at rest for most of the time")
				}
			})
		}
	}
}

// BenchmarkPackets says what a lane costs: a frame each, of packets that come with 10 ms
// of jitter from a clock that is 100 ppm fast, 1 of 10 lost.
func BenchmarkPackets(b *testing.B) {
	p, err := NewPackets(PacketOptions{Metrics: NewMetrics(nil)})
	if err != nil {
		b.Fatal(err)
	}
	packets := murmur(b, 500)
	frame := make([]float32, pcm.FrameLen)
	rng := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	before := cpu(b)
	for i := 0; b.Loop(); i++ {
		at := p.epoch.Add(time.Duration(i) * pcm.FrameDuration)
		if rng.IntN(10) > 0 {
			sent := int(float64(i) * 1.0001)
			late := time.Duration(rng.IntN(10)) * time.Millisecond
			p.Put(Packet{Seq: uint16(sent), Timestamp: uint32(sent * 960), Payload: packets[i%len(packets)], Arrival: at.Add(late - pcm.FrameDuration)})
		}
		p.pull(frame, p.clock(at))
	}
	b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N)/pcm.FrameDuration.Seconds()*100, "%core")
	b.ReportMetric(float64(p.play.sum.played)/float64(b.N)/960*100, "%heard")
}

// cpu is the processor time that was used so far: others use the machine, too.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// murmur is n packets of 20 ms of a voice.
func murmur(tb testing.TB, n int) (packets [][]byte) {
	tb.Helper()
	enc, err := opus.NewEncoder(pcm.Rate, 1, opus.AppVoIP)
	for _, err := range []error{err, enc.SetBitrate(32_000), enc.SetInBandFEC(true), enc.SetPacketLossPerc(20)} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	x, buf := make([]float32, pcm.FrameSamples), make([]byte, 2000)
	for i := range n {
		for k := range x {
			t := float64(i*len(x)+k) / pcm.Rate
			x[k] = float32(0.3 * math.Sin(2*math.Pi*3*t) * (math.Sin(2*math.Pi*170*t) + 0.5*math.Sin(2*math.Pi*850*t)))
		}
		size, err := enc.EncodeFloat32(x, buf)
		if err != nil {
			tb.Fatal(err)
		}
		packets = append(packets, slices.Clone(buf[:size]))
	}
	return packets
}
