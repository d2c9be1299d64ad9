package studio

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"longwave/ingest"
	"longwave/ingest/loudness"
	"longwave/ingest/mix"
	"longwave/ingest/pcm"
	"longwave/ingest/token"
)

func someLevels() *levels {
	l := &levels{
		now:       time.Date(2026, 3, 1, 20, 0, 0, 5e6, time.UTC),
		programme: mix.Snapshot{Loudness: loudness.Reading{Momentary: -18.26, ShortTerm: math.Inf(-1), Integrated: math.NaN(), TruePeak: -1}, LimiterDB: -0.04},
	}
	for _, id := range []string{"a1", `b"\` + "\n\x1fä", "c3"} {
		l.speakers = append(l.speakers, ingest.Speaker{Seat: id, Connection: ingest.Connection{Connected: id != "c3"}, Level: mix.LaneLevel{RMSDBFS: -20, PeakDBFS: -10.55, Fill: pcm.Concealed, Speaking: id == "a1"}})
	}
	return l
}

// TestLevelsJSON: the JSON that is put together by hand is JSON, whole.
func TestLevelsJSON(t *testing.T) {
	l := someLevels()
	const want = `{"now":"2026-03-01T20:00:00.005Z","programme":{"m":-18.3,"s":null,"i":null,"tp":-1,"limiter_db":0},` +
		`"lanes":{"a1":{"rms":-20,"peak":-10.6,"fill":"concealed","speaking":true},"b\"\\\u000a\u001fä":{"speaking":false}}}`
	if got := string(l.appendTo(nil, token.Token{ID: "a1", Role: token.Speaker})); got != want {
		t.Errorf("a speaker gets\n%s, want\n%s", got, want)
	}
	host := l.appendTo(nil, token.Token{Role: token.Host})
	if !json.Valid(host) || strings.Count(string(host), `"peak"`) != 2 {
		t.Errorf("a host gets %s", host)
	}
}

// TestStandbyHasNoLevel: a feed of whose group another is heard is not measured.
func TestStandbyHasNoLevel(t *testing.T) {
	l := someLevels()
	l.speakers[0].Group = "main"
	if got := string(l.appendTo(nil, token.Token{Role: token.Host})); !strings.Contains(got, `"a1":{"speaking":true},`) {
		t.Errorf("a host gets %s", got)
	}
}

// TestLevelsAllocateNothing: ten times a second, for everybody who looks.
func TestLevelsAllocateNothing(t *testing.T) {
	l, buf, host := someLevels(), make([]byte, 0, 4096), token.Token{Role: token.Host}
	if n := testing.AllocsPerRun(100, func() { buf = l.appendTo(buf[:0], host) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzSeat: whatever is in a seat's name, the levels are JSON with that name in it.
func FuzzSeat(f *testing.F) {
	f.Add("a1")
	f.Add("file:\x00\"\\\u2028\xff")
	f.Fuzz(func(t *testing.T, seat string) {
		got := appendString(nil, seat)
		var back string
		if err := json.Unmarshal(got, &back); err != nil || back != strings.ToValidUTF8(seat, "\ufffd") && back != strings.Join(strings.Split(string([]rune(seat)), ""), "") {
			t.Errorf("%q became %s, read as %q, %v", seat, got, back, err)
		}
	})
}
