package jitter_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hraban/opus"

	"longwave/ingest/jitter"
	"longwave/ingest/pcm"
)

// voiced is a vowel that never ends, of constant level, so that every dropout shows.
func voiced(samples int) []float32 {
	x := make([]float32, samples)
	var phase float64
	for i := range x {
		t := float64(i) / pcm.Rate
		phase += 2 * math.Pi * (120 + 6*math.Sin(2*math.Pi*1.3*t)) / pcm.Rate
		for k := 1; k < 26; k++ {
			x[i] += float32(0.12 / float64(k) * math.Sin(float64(k)*phase+float64(k*k)))
		}
	}
	return x
}

// encode encodes mono sound as browsers do for speech, in packets of n samples.
func encode(tb testing.TB, x []float32, n int) [][]byte {
	tb.Helper()
	enc, err := opus.NewEncoder(pcm.Rate, 1, opus.AppVoIP)
	for _, err := range []error{err, enc.SetBitrate(32_000), enc.SetInBandFEC(true), enc.SetPacketLossPerc(20), enc.SetComplexity(1)} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	var packets [][]byte
	buf := make([]byte, 4000)
	for ; len(x) >= n; x = x[n:] {
		k, err := enc.EncodeFloat32(x[:n], buf)
		if err != nil {
			tb.Fatal(err)
		}
		packets = append(packets, slices.Clone(buf[:k]))
	}
	return packets
}

// vowel is 60 s of [voiced] in packets of 20 ms: three times the same 20 s.
var vowel = sync.OnceValue(func() [][]byte {
	return slices.Repeat(encode(&testing.T{}, voiced(20*pcm.Rate), pcm.FrameSamples), 3)
})

// A network is what happens to packets on their way. All of it is drawn from a seed.
type network struct {
	seed    uint64
	loss    float64 // share
	burst   float64 // chance that what follows a lost packet is lost, too; 0: loss
	jitter  func(rng *rand.Rand, sent time.Duration) time.Duration
	reorder float64 // share that comes 30 ms later than it would
	double  float64 // share that comes twice
	red     bool    // each packet has the one before it in it
	ppm     float64 // by which the sender's clock is fast
}

// An arrival is a packet on its way out of a network.
type arrival struct {
	at time.Duration
	jitter.Packet
}

// carry sends packets of dur samples, the first at once.
func (w network) carry(payloads [][]byte, dur int) []arrival {
	rng := rand.New(rand.NewPCG(w.seed, 1))
	var out []arrival
	lost := false
	for i, b := range payloads {
		sent := time.Duration(float64(pcm.Duration(pcm.Pos(i*dur))) / (1 + w.ppm/1e6))
		p := jitter.Packet{Seq: uint16(65_000 + i), Timestamp: uint32(4_294_900_000 + i*dur), Payload: b}
		chance := w.loss
		if lost && w.burst > 0 {
			chance = w.burst
		}
		if lost = rng.Float64() < chance; lost {
			continue
		}
		at := sent + 25*time.Millisecond
		if w.jitter != nil {
			at += w.jitter(rng, sent)
		}
		if rng.Float64() < w.reorder {
			at += 30 * time.Millisecond
		}
		if w.red && i > 0 {
			old := p
			old.Seq, old.Timestamp, old.Payload, old.Redundant = p.Seq-1, p.Timestamp-uint32(dur), payloads[i-1], true
			out = append(out, arrival{at, old})
		}
		out = append(out, arrival{at, p})
		if rng.Float64() < w.double {
			out = append(out, arrival{at + time.Duration(rng.IntN(100))*time.Millisecond, p})
		}
	}
	slices.SortStableFunc(out, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	return out
}

// A playing is what came out of [jitter.Packets].
type playing struct {
	x     []float32
	fills []pcm.Fill
	state jitter.State // at the end of the last packet
}

// listen plays arrivals for as long as they last. each is called after every frame; it
// may be nil.
func listen(t *testing.T, o jitter.PacketOptions, in []arrival, each func(p *jitter.Packets, now time.Duration)) (out playing) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p, err := jitter.NewPackets(o)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for n := 0; len(in) > 0; n++ {
			due := time.Duration(n) * pcm.FrameDuration
			for len(in) > 0 && in[0].at <= due {
				time.Sleep(in[0].at - time.Since(start))
				in[0].Arrival = time.Now()
				p.Put(in[0].Packet)
				in = in[1:]
			}
			time.Sleep(due - time.Since(start))
			frame := make([]float32, pcm.FrameLen)
			out.fills = append(out.fills, p.Pull(frame))
			out.x = append(out.x, frame...)
			if each != nil {
				each(p, due)
			}
		}
		out.state = p.State()
	})
	return out
}

// dropouts returns the longest run in ms without sound, of constant level in x, from
// the first sound on, and the share of spans of 100 ms that have some.
func dropouts(x []float32) (longest int, audible float64) {
	const ms = pcm.Rate / 1000 * pcm.Channels
	var typical []float64
	for i := 0; i+5*ms <= len(x); i += ms {
		typical = append(typical, power(x[i:i+5*ms]))
	}
	sorted := slices.Sorted(slices.Values(typical))
	least := sorted[len(sorted)/2] / 100 // 20 dB
	first := slices.IndexFunc(typical, func(p float64) bool { return p > least })
	run, spans, heard := 0, 0, 0
	for _, p := range typical[first:] {
		if run++; p > least {
			run = 0
		}
		longest = max(longest, run)
	}
	for i := first * ms; i+100*ms <= len(x); i += 100 * ms {
		if spans++; power(x[i:i+100*ms]) > least {
			heard++
		}
	}
	return longest, float64(heard) / float64(spans)
}

func power(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum / float64(len(x))
}
