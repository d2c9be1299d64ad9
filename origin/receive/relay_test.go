package receive_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/origin"
	"longwave/origin/receive"
	"longwave/packager"
	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
	"longwave/packager/relay"
	"longwave/packager/relay/relaytest"
)

// tokens are "station/origin".
type tokens struct{}

func (tokens) Origin(text string, _ time.Time) (string, error) {
	if station, ok := strings.CutSuffix(text, "-origin"); ok {
		return station, nil
	}
	return "", errors.New("not a token")
}

func bearer(station string) (string, error) { return station + "-origin", nil }

// newOrigin returns an origin that has just started.
func newOrigin(stations ...string) (*origin.Live, *receive.Server) {
	live := origin.NewLive()
	return live, receive.New(receive.Options{Live: live, Tokens: tokens{}, Stations: stations, Log: slog.New(slog.DiscardHandler)})
}

// A setting is a relay to an origin, over a link.
type setting struct {
	*testing.T
	link  *relaytest.Link
	relay *relay.Relay
	reg   *prometheus.Registry
	live  *origin.Live
	talk  *relaytest.Station
}

// first is where the stations of these tests begin.
const first = 1000

// inBubble runs test with a station that is pushed to an origin, which has just started.
// Everything ends with it.
func inBubble(t *testing.T, test func(*setting)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &setting{T: t, reg: prometheus.NewRegistry()}
		s.link = relaytest.NewLink(nil)
		s.relay = s.newRelay(s.reg)
		s.start()
		s.talk = relaytest.New(t, s.relay, first)
		s.run(time.Second)
		test(s)
	})
}

func (s *setting) newRelay(reg prometheus.Registerer) *relay.Relay {
	r := relay.New(relay.Options{
		Name: "b", URL: "https://b.example", Token: bearer,
		Client: &http.Client{Transport: s.link}, Log: slog.New(slog.DiscardHandler), Registry: reg,
	})
	ctx := s.Context()
	go func() { _ = r.Run(ctx) }()
	return r
}

// start has an origin answer that has just started.
func (s *setting) start() {
	live, server := newOrigin("talk")
	ctx := s.Context()
	go func() { _ = live.Run(ctx) }()
	go func() { _ = server.Run(ctx) }()
	s.live = live
	s.link.Serve(server)
}

// run is on air for d.
func (s *setting) run(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(relaytest.PartDur)
		s.talk.Next()
		synctest.Wait()
	}
}

// playlist returns what the origin has of a rendition; the test fails when it has nothing.
func (s *setting) playlist(rendition string) *hls.Media {
	s.Helper()
	m, _ := s.live.Playlist("talk", rendition)
	if m == nil {
		s.Fatalf("the origin has no playlist of %s", rendition)
	}
	return m
}

// check wants all that the origin's playlists name to be there as it was made.
func (s *setting) check(renditions ...string) {
	s.Helper()
	texts := map[string][]byte{}
	for _, name := range renditions {
		m := s.playlist(name)
		text, _ := s.live.Object(packager.Key{Station: "talk", Rendition: name, Kind: packager.Media})
		texts[name+"/live.m3u8"] = text
		for _, v := range hlstest.Check(text) {
			s.Errorf("%s: %v", name, v)
		}
		var files []string
		for _, seg := range append(m.Segments, m.Open) {
			for _, p := range seg.Parts {
				files = append(files, p.URI)
			}
			if seg.URI != "" {
				files = append(files, seg.URI)
			}
		}
		for _, f := range files {
			k, err := packager.ParseKey("talk/" + name + "/" + f)
			if err != nil {
				s.Fatal(err)
			}
			if data, _ := s.live.Object(k); string(data) != string(s.talk.Bytes(k)) {
				s.Errorf("%s: %d bytes, not those that were made", k, len(data))
			}
		}
	}
	for _, v := range hlstest.CheckRenditions(texts) {
		s.Error(v)
	}
}

// atEdge wants the origin's playlists to end where the station's do.
func (s *setting) atEdge(renditions ...string) {
	s.Helper()
	for _, name := range renditions {
		if got, want := s.playlist(name).Last(), s.talk.Edge(); got != want {
			s.Errorf("%s ends at %v, want %v", name, got, want)
		}
	}
}

// count returns how many requests of a kind had a result.
func (s *setting) count(kind, result string) int {
	s.Helper()
	return int(figure(s.T, s.reg, "longwave_relay_requests_total", `kind="`+kind+`"`, `result="`+result+`"`))
}

// figure returns the sum of the series of a metric whose labels have all of these.
func figure(t *testing.T, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var text strings.Builder
			for _, l := range m.GetLabel() {
				fmt.Fprintf(&text, "%s=%q,", l.GetName(), l.GetValue())
			}
			if !hasAll(text.String(), labels) {
				continue
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

func hasAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

var all = []string{"opus-24", "opus-48", "opus-96", "aac-48", "aac-96"}

// TestRelay: what is made here is at the other origin at once, as it was made, and
// segments go over once, as their parts.
func TestRelay(t *testing.T) {
	inBubble(t, func(s *setting) {
		for range 20 {
			s.run(relaytest.PartDur)
			s.atEdge(all...)
		}
		s.check(all...)
		if got, want := s.count("segment", "done"), len(all)*relaytest.Window; got != want {
			t.Errorf("%d segments were sent, want the %d of the window at the start", got, want)
		}
		for _, name := range []string{packager.EverybodyList, packager.OpusList} {
			if _, ok := s.live.Object(packager.Key{Station: "talk", Kind: packager.Multivariant, Name: name}); !ok {
				t.Errorf("%s.m3u8 is not there", name)
			}
		}
		s.talk.End()
		synctest.Wait()
		for _, name := range all {
			if !s.playlist(name).EndList {
				t.Errorf("%s has not ended", name)
			}
		}
		s.check(all...)
	})
}

// TestRestartedOrigin: an origin that lost everything has the window again, the numbers
// go on.
func TestRestartedOrigin(t *testing.T) {
	inBubble(t, func(s *setting) {
		s.run(10 * time.Second)
		before := s.playlist("aac-48")
		s.link.Serve(nil)
		s.run(relaytest.PartDur)
		s.start()
		s.run(time.Second)
		s.atEdge(all...)
		s.check(all...)
		for _, name := range all {
			m := s.playlist(name)
			if m.MediaSequence < before.MediaSequence || len(m.Segments) != relaytest.Window {
				t.Errorf("%s: %d segments from %d, want %d from %d or later", name, len(m.Segments), m.MediaSequence, relaytest.Window, before.MediaSequence)
			}
		}
		if _, ok := s.live.Object(packager.Key{Station: "talk", Kind: packager.Multivariant, Name: "index"}); !ok {
			t.Error("index.m3u8 is not there")
		}
	})
}

// TestLongOutage: an origin that was away for longer than the window begins again near
// the live edge, and lists nothing that is not there.
func TestLongOutage(t *testing.T) {
	inBubble(t, func(s *setting) {
		s.run(4 * time.Second)
		for _, away := range []time.Duration{3 * time.Second, 20 * time.Second, 90 * time.Second} {
			before := s.playlist("opus-24")
			s.link.Hang(true)
			s.run(away)
			s.link.Hang(false)
			s.run(6 * time.Second) // a request that hangs is given up after 4 s
			s.atEdge(all...)
			s.check(all...)
			if m := s.playlist("opus-24"); m.MediaSequence < before.MediaSequence {
				t.Errorf("MEDIA-SEQUENCE went from %d back to %d", before.MediaSequence, m.MediaSequence)
			}
		}
		if got := figure(t, s.reg, "longwave_relay_sheds_total"); got != 0 {
			t.Errorf("%v renditions were shed: the way was cut, not narrow", got)
		}
		if got, most := figure(t, s.reg, "longwave_relay_window_bytes"), 41*1.92*340e3/8; got > most {
			t.Errorf("%v bytes are kept, want at most %v", got, most)
		}
	})
}

// TestNarrow: when the way has 1.2 times what the sound needs for a minute, the lowest
// rendition of each codec is never late, what does not fit is taken off the lists, and
// everything comes back.
func TestNarrow(t *testing.T) {
	inBubble(t, func(s *setting) {
		sound := 0.0
		for _, r := range s.talk.Ladder {
			sound += float64(r.Kbps) * 1000
		}
		s.link.Narrow(1.2 * sound)
		lowest := []string{"opus-24", "aac-48"}
		gaps := map[string]int{}
		shed := 0.0
		for range 180 { // 58 s
			s.run(relaytest.PartDur)
			for _, name := range lowest {
				late := s.behind(name)
				if late > 3 { // a player has four parts
					gaps[name]++
				}
			}
			shed = max(shed, figure(t, s.reg, "longwave_relay_shed_renditions"))
		}
		if len(gaps) > 0 {
			t.Errorf("the lowest renditions were more than three parts behind: %v times", gaps)
		}
		t.Logf("%v renditions were shed at most", shed)
		s.check(lowest...)
		s.link.Narrow(0)
		s.run(60 * time.Second)
		s.atEdge(all...)
		s.check(all...)
	})
}

// behind is how many parts the origin is behind in a rendition.
func (s *setting) behind(rendition string) int {
	s.Helper()
	here, there := s.talk.Edge(), s.playlist(rendition).Last()
	return int(here.MSN-there.MSN)*relaytest.Parts + here.Part - there.Part
}

// TestTooNarrow: when the way has room for little more than the lowest renditions, the
// others are shed: their playlists are gone and the lists do not name them.
func TestTooNarrow(t *testing.T) {
	inBubble(t, func(s *setting) {
		s.link.Narrow(190e3)
		late := 0
		for range 180 {
			s.run(relaytest.PartDur)
			if s.behind("opus-24") > 3 || s.behind("aac-48") > 3 {
				late++
			}
		}
		if late > 6 { // until the others are off
			t.Errorf("the lowest renditions were late %d times", late)
		}
		for list, names := range map[string][]string{packager.EverybodyList: {"aac-96"}, packager.OpusList: {"opus-48", "opus-96"}} {
			text, _ := s.live.Object(packager.Key{Station: "talk", Kind: packager.Multivariant, Name: list})
			for _, name := range names {
				if m, _ := s.live.Playlist("talk", name); m != nil {
					t.Errorf("%s is still listed at %v", name, m.Last())
				}
				if strings.Contains(string(text), name) {
					t.Errorf("%s.m3u8 names %s:\n%s", list, name, text)
				}
			}
		}
		for _, r := range s.playlist("opus-24").Reports {
			if r.URI != "../aac-48/live.m3u8" {
				t.Errorf("a report of %s, which is not there", r.URI)
			}
		}
	})
}

// TestTwoPushers: two nodes push the same station to one origin. Neither fails.
func TestTwoPushers(t *testing.T) {
	inBubble(t, func(s *setting) {
		reg := prometheus.NewRegistry()
		other := relaytest.New(t, s.newRelay(reg), s.talk.MSN)
		synctest.Wait() // it finds a newer playlist than its own
		for other.Edge().Compare(s.talk.Edge()) < 0 {
			other.Next()
		}
		for range 10 {
			s.run(relaytest.PartDur)
			other.Next()
			synctest.Wait()
		}
		for i, r := range []*prometheus.Registry{s.reg, reg} {
			if got := figure(t, r, "longwave_relay_lag_seconds"); got > 0.4 {
				t.Errorf("relay %d is %v s late", i+1, got)
			}
		}
		for range 40 {
			s.run(relaytest.PartDur)
			other.Next()
			synctest.Wait()
		}
		s.atEdge(all...)
		s.check(all...)
		for _, r := range []*prometheus.Registry{s.reg, reg} {
			if got := figure(t, r, "longwave_relay_failing"); got != 0 {
				t.Error("a relay fails because another one was faster")
			}
		}
	})
}

// other makes parts and segments with bytes of its own.
type other struct{ packager.Sink }

func (o other) Put(ctx context.Context, obj packager.Object) error {
	if obj.Key.Kind == packager.Part || obj.Key.Kind == packager.Segment {
		obj.Data = append(slices.Clone(obj.Data), "a twin's"...)
	}
	return o.Sink.Put(ctx, obj)
}

// TestOtherBytes: two nodes push the same station with sound that is not the same to the
// byte. What is there first stays, and neither fails.
func TestOtherBytes(t *testing.T) {
	inBubble(t, func(s *setting) {
		reg := prometheus.NewRegistry()
		twin := relaytest.New(t, other{s.newRelay(reg)}, s.talk.MSN)
		synctest.Wait()
		for range 40 {
			s.run(relaytest.PartDur)
			for twin.Edge().Compare(s.talk.Edge()) < 0 {
				twin.Next()
			}
			synctest.Wait()
			if s.talk.Part == 3 { // and the other way round
				twin.Next()
				synctest.Wait()
			}
		}
		if n := figure(t, reg, "longwave_relay_conflicts_total") + figure(t, s.reg, "longwave_relay_conflicts_total"); n == 0 {
			t.Error("no bytes were in the way of others")
		}
		for i, r := range []*prometheus.Registry{s.reg, reg} {
			if figure(t, r, "longwave_relay_failing") != 0 || figure(t, r, "longwave_relay_lag_seconds") > 0.7 {
				t.Errorf("relay %d fails or is late", i+1)
			}
		}
		s.atEdge("opus-24", "aac-48")
	})
}

// TestRestartedPackager: a node that starts again finds the other origin as it is. Its
// window is partly of the run before.
func TestRestartedPackager(t *testing.T) {
	inBubble(t, func(s *setting) {
		s.run(10 * time.Second)
		reg := prometheus.NewRegistry()
		at := s.talk.MSN + 2
		s.talk = relaytest.New(t, s.newRelay(reg), at)
		synctest.Wait()
		s.run(3 * time.Second)
		s.atEdge(all...)
		s.check(all...)
		if got := figure(t, reg, "longwave_relay_requests_total", `kind="segment"`, `result="done"`); got > float64(3*len(all)) {
			t.Errorf("%v segments were sent, want those that were missed", got)
		}
	})
}
