package mix

import (
	"math"
	"testing"

	"longwave/ingest/pcm"
)

// A spell is a run of frames of one kind.
type spell struct {
	frames int
	heard  bool
	lufs   float64
	closed bool
}

func TestWhatIsOnAir(t *testing.T) {
	const voice, hush = -20, -60
	for _, tt := range []struct {
		name   string
		spells []spell
		live   bool
		stage  DeadAir
		since  int // frame
	}{
		{"nobody", []spell{{1000, false, -70, false}}, false, Sounding, 0},
		{"a lane begins", []spell{{100, false, -70, false}, {1, true, voice, false}}, true, Sounding, 100},
		{"a short gap", []spell{{100, true, voice, false}, {25, false, -70, false}, {1, true, voice, false}}, true, Sounding, 0},
		{"a long gap", []spell{{100, true, voice, false}, {26, false, -70, false}}, false, Sounding, 125},
		{"back from a gap", []spell{{100, true, voice, false}, {50, false, -70, false}, {10, true, voice, false}}, true, Sounding, 150},
		// 20 frames of voice are the memory of the momentary loudness.
		{"pauses in speech", []spell{{100, true, voice, false}, {268, true, hush, false}}, true, Sounding, 0},
		{"dead for 5 s", []spell{{100, true, voice, false}, {270, true, hush, false}}, true, Warned, 0},
		{"dead for 15 s", []spell{{100, true, voice, false}, {770, true, hush, false}}, true, Alarmed, 0},
		{"dead for 29.9 s", []spell{{100, true, voice, false}, {1514, true, hush, false}}, true, Alarmed, 0},
		{"dead for 30 s", []spell{{100, true, voice, false}, {1520, true, hush, false}}, false, Replaced, 1618},
		{"sound comes in time", []spell{{100, true, voice, false}, {1400, true, hush, false}, {20, true, voice, false}}, true, Sounding, 0},
		{"a click is no voice", []spell{{1600, true, hush, false}, {14, true, voice, false}, {100, true, hush, false}}, false, Replaced, 1500},
		{"300 ms are a voice", []spell{{1600, true, hush, false}, {15, true, voice, false}}, true, Sounding, 1614},
		{"a voice with holes", []spell{{1600, true, hush, false}, {8, true, voice, false}, {3, true, hush, false}, {10, true, voice, false}}, true, Sounding, 1620},
		{"the dead lane goes", []spell{{1600, true, hush, false}, {26, false, -70, false}}, false, Sounding, 1500},
		{"and another comes", []spell{{1600, true, hush, false}, {26, false, -70, false}, {1, true, voice, false}}, true, Sounding, 1626},
		{"closed", []spell{{100, true, voice, false}, {1, true, voice, true}}, false, Sounding, 100},
		{"closed is not dead", []spell{{100, true, voice, false}, {2000, true, hush, true}}, false, Sounding, 100},
		{"open again", []spell{{100, true, voice, true}, {1, true, voice, false}}, true, Sounding, 100},
		{"open for nobody", []spell{{100, true, voice, true}, {1, false, -70, false}}, false, Sounding, 0},
		{"closed while the hold stood in", []spell{{1600, true, hush, false}, {1, true, hush, true}, {1, true, voice, false}}, true, Sounding, 1601},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := air{holdAfter: 25}
			n := 0
			for _, s := range tt.spells {
				energy := math.Pow(10, (s.lufs+0.691)/10)
				for range s.frames {
					a.step(sight{heard: s.heard, open: !s.closed, energy: energy}, pcm.Pos(n))
					n++
				}
			}
			if a.live != tt.live || a.stage != tt.stage || int(a.since) != tt.since {
				t.Errorf("live %v, %v, since %d; want %v, %v, %d", a.live, a.stage, a.since, tt.live, tt.stage, tt.since)
			}
		})
	}
}
