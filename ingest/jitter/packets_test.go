package jitter_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"longwave/ingest/jitter"
	"longwave/ingest/pcm"
)

// spikes are 80 ms late now and then, with those behind it held up, too, and 10 ms else.
func spikes(rng *rand.Rand, sent time.Duration) time.Duration {
	return max(time.Duration(rng.Float64()*10*float64(time.Millisecond)), 80*time.Millisecond-sent%(1700*time.Millisecond))
}

func TestLosses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		net     network
		longest int     // ms
		audible float64 // share of 100 ms
	}{
		{"none", network{}, 0, 1},
		{"10 %", network{loss: 0.1}, 60, 1},
		{"20 %", network{loss: 0.2}, 150, 0.95},
		{"30 %", network{loss: 0.3}, 300, 0.9},
		{"10 %, RED", network{loss: 0.1, red: true}, 40, 1},
		{"20 %, RED", network{loss: 0.2, red: true}, 60, 1},
		{"spikes of 80 ms", network{jitter: spikes}, 60, 1},
		{"all at once", network{loss: 0.1, jitter: spikes, reorder: 0.05, double: 0.05, ppm: 300}, 100, 0.97},
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
