package jitter_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/jitter"
	"longwave/ingest/pcm"
)

// spikes are 80 ms late now and then, with those behind it held up, too, and 10 ms else.
func spikes(rng *rand.Rand, sent time.Duration) time.Duration {
	return max(time.Duration(rng.Float64()*10*float64(time.Millisecond)), 80*time.Millisecond-sent%(1700*time.Millisecond))
}

// TestLosses has tighter bounds than what is asked for (60 ms at 10 %, 95 % of the ticks
// at 20 %), for a voice that is lost and not concealed would keep those, too, by luck.
func TestLosses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		net     network
		longest int     // ms
		audible float64 // share of 100 ms
	}{
		{"none", network{}, 0, 1},
		{"10 %", network{loss: 0.1}, 15, 1},
		{"20 %", network{loss: 0.2}, 60, 0.99},
		{"30 %", network{loss: 0.3}, 100, 0.97},
		{"10 %, RED", network{loss: 0.1, red: true}, 10, 1},
		{"20 %, RED", network{loss: 0.2, red: true}, 20, 1},
		{"spikes of 80 ms", network{jitter: spikes}, 20, 1},
		{"all at once", network{loss: 0.1, jitter: spikes, reorder: 0.05, double: 0.05, ppm: 300}, 40, 0.99},
	} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%s, seed %d", tt.name, seed), func(t *testing.T) {
				tt.net.seed = seed
				out := listen(t, jitter.PacketOptions{}, tt.net.carry(vowel(), pcm.FrameSamples), nil)
				longest, audible := dropouts(out.x)
				t.Logf("longest dropout %d ms, %.1f %% of ticks audible; target %v, delay %v, %+v", longest, audible*100,
					pcm.Duration(out.state.Target), out.state.Packets.Delay, out.state.Packets)
				if longest > tt.longest || audible < tt.audible {
					t.Errorf("want at most %d ms, at least %.0f %%", tt.longest, tt.audible*100)
				}
				for i, v := range out.x {
					if math.IsNaN(float64(v)) || math.Abs(float64(v)) > 1.5 {
						t.Fatalf("sample %d is %v", i, v)
					}
				}
			})
		}
	}
}

// TestTakeover has a speaker who comes back by another connection, whose packets go on
// where those of the first one ended: both are played, and nobody hears more than a breath.
func TestTakeover(t *testing.T) {
	packets := vowel()[:500]
	all := network{}.carry(packets, pcm.FrameSamples)
	before := listen(t, jitter.PacketOptions{}, append(all[:250:250], all[499]), func(p *jitter.Packets, now time.Duration) {
		if now == 250*pcm.FrameDuration+20*time.Millisecond {
			p.End()
		}
	})
	after := listen(t, jitter.PacketOptions{}, all[250:], nil)
	for i := range before.x {
		before.x[i] += after.x[i]
	}
	longest, _ := dropouts(before.x)
	t.Logf("%d ms between one and the other", longest)
	if longest > 60 {
		t.Error("want at most 60 ms")
	}
}

func TestPacketMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	in := network{loss: 0.1, double: 0.1, red: true}.carry(vowel()[:1000], pcm.FrameSamples)
	for i := range 7 {
		in = append(in, arrival{in[len(in)-1].at, jitter.Packet{Seq: uint16(i), Payload: []byte{0xfb, 0}}})
	}
	in = append(in, arrival{in[len(in)-1].at + 3*time.Second, jitter.Packet{}}) // until it was told
	s := listen(t, jitter.PacketOptions{Metrics: jitter.NewMetrics(reg)}, in, nil).state
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = int64(m.GetCounter().GetValue())
			if h := m.GetHistogram(); h != nil {
				got[name] = int64(h.GetSampleCount())
			}
		}
	}
	if s.Packets.Refused != 8 || s.Packets.Lost < 70 || !s.Packets.Gone || s.Phase != jitter.Stalled {
		t.Errorf("%+v", s)
	}
	want := map[string]int64{
		"longwave_jitter_underruns_total":             1,
		"longwave_jitter_skips_total":                 0,
		"longwave_jitter_skipped_seconds_total":       0,
		"longwave_jitter_reanchored_total":            0,
		"longwave_jitter_packets_total carried":       s.Packets.Received,
		"longwave_jitter_packets_total late":          s.Packets.Late,
		"longwave_jitter_packets_total duplicate":     s.Packets.Duplicates,
		"longwave_jitter_packets_total malformed":     8,
		"longwave_jitter_packets_total stray":         0,
		"longwave_jitter_packets_total excess":        0,
		"longwave_jitter_packets_lost_total":          s.Packets.Lost,
		"longwave_jitter_packets_recovered_total red": s.Packets.RecoveredRED,
		"longwave_jitter_packets_recovered_total fec": s.Packets.RecoveredFEC,
		"longwave_jitter_concealed_seconds_total":     int64(s.Packets.Concealed / pcm.Rate),
		"longwave_jitter_delay_seconds":               20,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPutFromAnywhere is for the race detector.
func TestPutFromAnywhere(t *testing.T) {
	p, err := jitter.NewPackets(jitter.PacketOptions{Metrics: jitter.NewMetrics(nil)})
	if err != nil {
		t.Fatal(err)
	}
	var putters sync.WaitGroup
	for k := range 3 {
		putters.Go(func() {
			for i := range 300 {
				p.Put(jitter.Packet{Seq: uint16(3*i + k), Timestamp: uint32((3*i + k) * 960), Payload: vowel()[i]})
				p.State()
			}
		})
	}
	frame := make([]float32, pcm.FrameLen)
	for range 500 {
		p.Pull(frame)
	}
	putters.Wait()
	p.End()
	for range 600 {
		p.Pull(frame)
	}
	if s := p.State(); s.Phase != jitter.Ended || s.Packets.Received == 0 {
		t.Errorf("%+v", s)
	}
}
