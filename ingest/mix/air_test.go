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
		{"nobody", []spell{{1000, false, -70}}, false, Sounding, 0},
		{"a lane begins", []spell{{100, false, -70}, {1, true, voice}}, true, Sounding, 100},
		{"a short gap", []spell{{100, true, voice}, {25, false, -70}, {1, true, voice}}, true, Sounding, 0},
		{"a long gap", []spell{{100, true, voice}, {26, false, -70}}, false, Sounding, 125},
		{"back from a gap", []spell{{100, true, voice}, {50, false, -70}, {10, true, voice}}, true, Sounding, 150},
		// 20 frames of voice are the memory of the momentary loudness.
		{"pauses in speech", []spell{{100, true, voice}, {268, true, hush}}, true, Sounding, 0},
		{"dead for 5 s", []spell{{100, true, voice}, {270, true, hush}}, true, Warned, 0},
		{"dead for 15 s", []spell{{100, true, voice}, {770, true, hush}}, true, Alarmed, 0},
		{"dead for 29.9 s", []spell{{100, true, voice}, {1514, true, hush}}, true, Alarmed, 0},
		{"dead for 30 s", []spell{{100, true, voice}, {1520, true, hush}}, false, Replaced, 1618},
		{"sound comes in time", []spell{{100, true, voice}, {1400, true, hush}, {20, true, voice}}, true, Sounding, 0},
		{"a click is no voice", []spell{{1600, true, hush}, {14, true, voice}, {100, true, hush}}, false, Replaced, 1500},
		{"300 ms are a voice", []spell{{1600, true, hush}, {15, true, voice}}, true, Sounding, 1614},
		{"a voice with holes", []spell{{1600, true, hush}, {8, true, voice}, {3, true, hush}, {10, true, voice}}, true, Sounding, 1620},
		{"the dead lane goes", []spell{{1600, true, hush}, {26, false, -70}}, false, Sounding, 1500},
		{"and another comes", []spell{{1600, true, hush}, {26, false, -70}, {1, true, voice}}, true, Sounding, 1626},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := air{holdAfter: 25}
			n := 0
			for _, s := range tt.spells {
				energy := math.Pow(10, (s.lufs+0.691)/10)
				for range s.frames {
					a.step(s.heard, energy, pcm.Pos(n))
					n++
				}
			}
			if a.live != tt.live || a.stage != tt.stage || int(a.since) != tt.since {
				t.Errorf("live %v, %v, since %d; want %v, %v, %d", a.live, a.stage, a.since, tt.live, tt.stage, tt.since)
			}
		})
	}
}
