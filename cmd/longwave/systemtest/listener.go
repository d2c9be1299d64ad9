package systemtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"longwave/packager"
	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// A Listener plays every rendition of a station at once, as a strict player: it
// asks for playlists with blocking reload and every second time for a delta update,
// gets every part and segment as soon as it is listed and all of the window when it
// joins, judges all of it by hlstest, and enters it in a [Ledger]. A server that
// does not answer is asked again until it does.
type Listener struct {
	Ledger *Ledger
	Base   string // http://host:port/station
	// Station is the last element of Base.
	Station string
	// Slack is for the rules about time: see [hlstest.Follower].
	Slack time.Duration
	// Keep is called for each playlist as it came; nil: for none.
	Keep func(rendition string, body []byte)

	mu    sync.Mutex
	lines map[string]*line
	sets  map[hls.Position]map[string][]byte // full playlists by what they end with

	uneven bool // the renditions differed in their Date Ranges the last time
}

// A line is one rendition as the listener knows it.
type line struct {
	*Listener
	name   string
	follow hlstest.Follower
	track  *hlstest.Track
	init   string // the file that track began with
	next   int64  // the segment that track takes next
	parts  map[string][]byte
	fresh  bool // everything is to be fetched again

	versions int
	outages  int
	last     *hls.Media // guarded by the listener's mu
}

// Listen returns a listener of a station of n that listens until the test, or stop,
// ends it. The renditions are those of index.m3u8 and opus.m3u8, for which it waits.
func Listen(t testing.TB, n *Node, l *Listener) (stop func()) {
	t.Helper()
	l.Base = n.URL + "/" + l.Station
	l.lines, l.sets = map[string]*line{}, map[hls.Position]map[string][]byte{}
	names := l.renditions(t, n)
	for _, name := range names {
		l.lines[name] = &line{Listener: l, name: name, fresh: true, parts: map[string][]byte{}}
		l.lines[name].follow.Slack = l.Slack
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() { l.lines[name].run(ctx) })
	}
	stop = func() { cancel(); all.Wait() }
	t.Cleanup(stop)
	return stop
}

// renditions reads the multivariant playlists.
func (l *Listener) renditions(t testing.TB, n *Node) []string {
	t.Helper()
	var names []string
	for _, list := range []string{"index.m3u8", "opus.m3u8"} {
		var r Reply
		n.Await(list, func() bool {
			var err error
			r, err = Fetch(t.Context(), l.Base+"/"+list)
			return err == nil && r.Status == http.StatusOK || list != "index.m3u8" && err == nil
		})
		if r.Status != http.StatusOK {
			continue // a station without Opus
		}
		l.note(list, r.judge(list, hlstest.MultivariantPlaylist))
		l.note(list, hlstest.CheckMultivariant(r.Body))
		if l.Keep != nil {
			l.Keep("", r.Body)
		}
		m, err := hls.ParseMultivariant(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range m.Variants {
			if name := v.URI[:len(v.URI)-len("/live.m3u8")]; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (l *Listener) note(where string, found []hlstest.Violation) {
	for _, v := range found {
		l.Ledger.Report(v.Rule.Name, "%s/%s: %v", l.Station, where, v)
	}
}

// Renditions returns the names of the renditions, sorted.
func (l *Listener) Renditions() []string {
	var names []string
	for name := range l.lines {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Playlist returns the newest playlist of a rendition, nil before the first.
func (l *Listener) Playlist(rendition string) *hls.Media {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[rendition].last
}

// Edge returns the oldest of what the renditions end with.
func (l *Listener) Edge() hls.Position {
	edge := hls.Position{MSN: 1 << 62}
	for name := range l.lines {
		m := l.Playlist(name)
		if m == nil {
			return hls.Position{}
		}
		if m.Last().Compare(edge) < 0 {
			edge = m.Last()
		}
	}
	return edge
}

// retry is how long to wait before a server that does not answer is asked again.
const retry = 20 * time.Millisecond

func (l *line) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := l.step(ctx)
		switch {
		case errors.Is(err, errEnded):
			return
		case err != nil && ctx.Err() == nil:
			l.fresh = true
			l.outages++
			select {
			case <-time.After(retry):
			case <-ctx.Done():
			}
		}
	}
}

// errEnded means that the playlist has ended and all of it was read.
var errEnded = errors.New("ended")

// step gets one version of the playlist and what it newly names. Its error means
// that the server did not answer.
func (l *line) step(ctx context.Context) error {
	var d hls.Directives
	if m := l.follow.Media(); m != nil && !l.fresh && m.Control.CanBlockReload {
		d.Blocking, d.At = true, m.Next()
		if l.versions%2 == 1 {
			d.Skip = hls.SkipSegments
		}
	}
	url := l.Base + "/" + l.name + "/live.m3u8" + query(d)
	r, err := Fetch(ctx, url)
	if err != nil {
		return err
	}
	if r.Status == http.StatusNotFound && l.fresh {
		return errors.New("not yet there")
	}
	kind := hlstest.MediaPlaylist
	if d.Blocking {
		kind = hlstest.BlockedPlaylist
	}
	l.note(l.name, r.judge(url, kind))
	if r.Status != http.StatusOK {
		return fmt.Errorf("status %d", r.Status)
	}
	l.take(d, r)
	m := l.follow.Media()
	if m == nil {
		return errors.New("nothing to play")
	}
	if err := l.fetch(ctx, m); err != nil {
		return err
	}
	if m.EndList {
		return errEnded
	}
	if !m.Control.CanBlockReload {
		select {
		case <-time.After(m.TargetDuration / 4):
		case <-ctx.Done():
		}
	}
	return nil
}

func query(d hls.Directives) string {
	if !d.Blocking {
		return ""
	}
	q := fmt.Sprintf("?_HLS_msn=%d", d.At.MSN)
	if d.At.Part >= 0 {
		q += fmt.Sprintf("&_HLS_part=%d", d.At.Part)
	}
	if d.Skip == hls.SkipSegments {
		q += "&_HLS_skip=YES"
	}
	return q
}

// take judges a version of the playlist.
func (l *line) take(d hls.Directives, r Reply) {
	if l.Keep != nil {
		l.Keep(l.name, r.Body)
	}
	was := l.follow.Media()
	if d.Blocking {
		l.note(l.name, l.follow.Answer(d, r.At, r.Body))
	} else {
		l.note(l.name, l.follow.Playlist(r.At, r.Body))
	}
	l.versions++
	m := l.follow.Media()
	if m == nil {
		return
	}
	for _, s := range m.Segments {
		if s.Gap || s.Discontinuity {
			l.Ledger.Report("interrupted", "%s/%s: EXT-X-GAP or EXT-X-DISCONTINUITY at %s", l.Station, l.name, s.URI)
		}
	}
	if was != nil && m.MediaSequence < was.MediaSequence {
		l.Ledger.Report("sequence", "%s/%s: EXT-X-MEDIA-SEQUENCE is %d, it was %d", l.Station, l.name, m.MediaSequence, was.MediaSequence)
	}
	l.together(m, r.Body)
}

// together judges the renditions against each other, where full playlists of the
// same moment have come of all.
func (l *line) together(m *hls.Media, body []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = m
	if got, err := hls.ParseMedia(body); err != nil || got.Skip.Segments > 0 {
		return
	}
	if m.PartTarget > 0 && !slices.ContainsFunc(m.Segments, func(s hls.Segment) bool { return len(s.Parts) > 0 }) {
		return // a rendition report cannot say that a segment has no parts
	}
	set := l.sets[m.Last()]
	if set == nil {
		set = map[string][]byte{}
		l.sets[m.Last()] = set
	}
	set[l.name+"/live.m3u8"] = body
	if len(set) < len(l.lines) {
		return
	}
	clear(l.sets)
	// A mark that becomes known between the parts of one codec and those of the other
	// stands in some of the lists a moment earlier. Twice in a row is wrong.
	found := hlstest.CheckRenditions(set)
	uneven := func(v hlstest.Violation) bool { return v.Rule.Name == "renditions-dateranges" }
	before := l.uneven
	l.uneven = slices.ContainsFunc(found, uneven)
	if !before {
		found = slices.DeleteFunc(found, uneven)
	}
	l.note("all", found)
}

// fetch gets what the playlist names and was not fetched yet.
func (l *line) fetch(ctx context.Context, m *hls.Media) error {
	for i := range m.Segments {
		s := &m.Segments[i]
		msn := m.MediaSequence + int64(i)
		if msn < l.next && !l.fresh {
			continue
		}
		if err := l.segment(ctx, msn, s); err != nil {
			return err
		}
	}
	l.fresh = false
	return l.getParts(ctx, m.Open.Parts)
}

// segment gets a segment, its parts and its init segment, and judges them.
func (l *line) segment(ctx context.Context, msn int64, s *hls.Segment) error {
	if err := l.getParts(ctx, s.Parts); err != nil {
		return err
	}
	if s.Map.URI != l.init {
		data, err := l.get(ctx, s.Map.URI, hlstest.InitSegment)
		if err != nil {
			return err
		}
		track, found := hlstest.NewTrack(data)
		l.note(l.name, found)
		l.track, l.init = track, s.Map.URI
	}
	data, err := l.get(ctx, s.URI, hlstest.MediaSegment)
	if err != nil {
		return err
	}
	if msn < l.next { // seen before: the ledger knows whether it is the same
		return nil
	}
	if l.next != 0 && msn > l.next {
		l.Ledger.Report("missed", "%s/%s: segments %d to %d went before they could be fetched", l.Station, l.name, l.next, msn-1)
		l.track.Restart()
	}
	l.next = msn + 1
	var parts [][]byte
	for _, p := range s.Parts {
		if data := l.parts[p.URI]; data != nil {
			parts = append(parts, data)
		}
	}
	if len(parts) != len(s.Parts) || len(parts) == 0 {
		parts = nil
	}
	l.note(l.name, l.track.Segment(*s, data, parts))
	return nil
}

// getParts gets the parts that were not fetched yet.
func (l *line) getParts(ctx context.Context, parts []hls.Part) error {
	const keep = 64
	for _, p := range parts {
		if l.parts[p.URI] != nil {
			continue
		}
		data, err := l.get(ctx, p.URI, hlstest.PartialSegment)
		if err != nil {
			return err
		}
		if len(l.parts) > keep {
			clear(l.parts)
		}
		l.parts[p.URI] = data
	}
	return nil
}

// get fetches what the playlist names, which must be there. Its error means that
// the server did not answer.
func (l *line) get(ctx context.Context, file string, kind hlstest.Resource) ([]byte, error) {
	r, err := Fetch(ctx, l.Base+"/"+l.name+"/"+file)
	if err != nil {
		return nil, err
	}
	l.note(l.name+"/"+file, r.judge(file, kind))
	if r.Status != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d", file, r.Status)
	}
	k, err := packager.ParseKey(l.Station + "/" + l.name + "/" + file)
	if err != nil {
		l.Ledger.Report("name", "%v", err)
		return nil, err
	}
	l.Ledger.See(k, r.Body, "HTTP")
	return r.Body, nil
}
