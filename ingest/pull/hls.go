package pull

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"golang.org/x/sync/errgroup"
	"longwave/ingest/pcm"
)

const (
	// behind is how many segments before the end a live playlist is joined.
	behind = 3
	// fetchAhead is how many segments are fetched before it is their turn.
	fetchAhead = 2
	// mostTries is how often a segment is asked for.
	mostTries = 4
	// staleAfter is for how many target durations a live playlist may stay the same.
	staleAfter = 4
	leastStale = 20 * time.Second
	// mostAgain is the longest wait before a playlist that failed is asked for again: what
	// is not fetched in time is gone.
	mostAgain = time.Second
)

var (
	errStale     = errors.New("the playlist does not go on")
	errEncrypted = errors.New("encrypted segments")
)

// A segment is one that was fetched.
type segment struct {
	init, data []byte // no data: it could not be had
	lasts      time.Duration
	known      time.Time // when it stood in the playlist; zero for those of the first
	lost       string    // why there is no data, for the metrics
}

// hls plays a playlist that was found at u.
func (p *Puller) hls(ctx context.Context, u *url.URL, text []byte) error {
	f := &follower{Puller: p, url: u, out: make(chan segment, fetchAhead)}
	g, ctx := errgroup.WithContext(ctx)
	var end error // what was fetched before is still played
	g.Go(func() error {
		defer close(f.out)
		end = f.run(ctx, text)
		return nil
	})
	g.Go(func() error { return p.play(ctx, f.out) })
	err := g.Wait()
	switch {
	case err != nil:
		return err
	case errors.Is(end, errListEnd) && p.wasLive: // it may go on some time
		return errEnded
	case errors.Is(end, errListEnd):
		return nil
	}
	return end
}

// errListEnd means that the playlist has an end, and it was played to it.
var errListEnd = errors.New("end of the playlist")

// A follower fetches the segments of a media playlist in their order.
type follower struct {
	*Puller
	url  *url.URL
	out  chan segment
	next int       // media sequence number; -1 at first
	seen time.Time // when there was last a new segment

	initOf string // what the initialisation section was fetched from
	init   []byte
}

// run follows the playlist text, and what it leads to, to the end.
func (f *follower) run(ctx context.Context, text []byte) error {
	m, err := f.open(ctx, text)
	if err != nil {
		return err
	}
	f.next, f.seen = -1, time.Now()
	first := true
	for {
		if !m.Endlist {
			f.wasLive = true
		} else if first && f.wasLive {
			return errEnded // it was live once: what is left of that is not played again
		}
		loaded := time.Now()
		fresh, err := f.take(ctx, m, first)
		if err != nil {
			return err
		}
		if m.Endlist {
			return errListEnd
		}
		first = false
		target := time.Duration(m.TargetDuration) * time.Second
		if fresh {
			f.seen = time.Now()
		} else {
			if time.Since(f.seen) > max(staleAfter*target, leastStale) {
				return fmt.Errorf("follow %s: %w", shown(f.url), errStale)
			}
			target /= 2 // RFC 8216 section 6.3.4
		}
		if m, err = f.reload(ctx, loaded.Add(target)); err != nil {
			return err
		}
	}
}

// open returns the media playlist that text is, or leads to.
func (f *follower) open(ctx context.Context, text []byte) (*playlist.Media, error) {
	pl, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("read the playlist %s: %w", shown(f.url), err)
	}
	if m, ok := pl.(*playlist.Multivariant); ok {
		u, err := choose(m, f.url, f.tries)
		if err != nil {
			return nil, fmt.Errorf("read the playlist %s: %w", shown(f.url), err)
		}
		f.url = u
		return f.load(ctx)
	}
	return pl.(*playlist.Media), nil
}

// parse reads a playlist. The parser is another's and sees foreign bytes.
func parse(text []byte) (pl playlist.Playlist, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errMedia, r)
		}
	}()
	pl, err = playlist.Unmarshal(append(text, '\n')) // it wants every line ended
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMedia, err)
	}
	return pl, nil
}

// load fetches the media playlist once.
func (f *follower) load(ctx context.Context) (*playlist.Media, error) {
	r, text, err := f.fetch.document(ctx, f.url, http.Header{}, listBounds)
	if err != nil {
		return nil, err
	}
	pl, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("read the playlist %s: %w", shown(r.url), err)
	}
	m, ok := pl.(*playlist.Media)
	if !ok {
		return nil, fmt.Errorf("read the playlist %s: a variant that has variants: %w", shown(r.url), errNoVariant)
	}
	f.url = r.url
	return m, nil
}

// reload fetches the media playlist at a time, and again until it can be had or has been
// away for too long.
func (f *follower) reload(ctx context.Context, at time.Time) (*playlist.Media, error) {
	wait := time.Until(at)
	again := firstWait
	for {
		if err := pcm.Sleep(ctx, max(wait, 0)); err != nil {
			return nil, err
		}
		m, err := f.load(ctx)
		if err == nil || ctx.Err() != nil || time.Since(f.seen) > leastStale {
			return m, err
		}
		wait, again = again, min(2*again, mostAgain)
	}
}

// take sends the segments of m that were not sent yet, and reports that there were any.
func (f *follower) take(ctx context.Context, m *playlist.Media, first bool) (bool, error) {
	from := 0
	switch {
	case first:
		if !m.Endlist {
			from = max(len(m.Segments)-behind, 0)
		}
		f.next = m.MediaSequence + from
	case f.next < m.MediaSequence: // we were too slow
		from = max(len(m.Segments)-behind, 0)
		f.m.segments.WithLabelValues(segmentSkipped).Add(float64(m.MediaSequence + from - f.next))
		f.next = m.MediaSequence + from
	default:
		from = f.next - m.MediaSequence
		if from > len(m.Segments)+behind { // it began anew: the session is begun anew, too
			return false, fmt.Errorf("follow %s: %w", shown(f.url), errStale)
		}
	}
	known := time.Now()
	if first {
		known = time.Time{}
	}
	starts := offsets(m.Segments)
	for i := from; i < len(m.Segments); i++ {
		s, err := f.segment(ctx, m, m.Segments[i], starts[i])
		if err != nil {
			return false, err
		}
		s.known = known
		select {
		case f.out <- s:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
		f.next = m.MediaSequence + i + 1
	}
	return from < len(m.Segments), nil
}

// offsets returns where the byte range of each segment begins: where it is not said, at
// the end of the one before (RFC 8216 section 4.3.2.2).
func offsets(list []*playlist.MediaSegment) []uint64 {
	out := make([]uint64, len(list))
	var end uint64
	for i, s := range list {
		if s.ByteRangeLength == nil {
			end = 0
			continue
		}
		out[i] = end
		if s.ByteRangeStart != nil {
			out[i] = *s.ByteRangeStart
		}
		end = out[i] + *s.ByteRangeLength
	}
	return out
}

// segment fetches one. One that cannot be had leaves a gap of its length; only what will
// not be better with the next is an error.
func (f *follower) segment(ctx context.Context, m *playlist.Media, s *playlist.MediaSegment, start uint64) (segment, error) {
	out := segment{lasts: min(s.Duration, mostLasts)}
	if s.Key != nil && s.Key.Method != playlist.MediaKeyMethodNone {
		return out, fmt.Errorf("follow %s: %w", shown(f.url), errEncrypted)
	}
	if s.Gap {
		out.lost = segmentLost
		return out, nil
	}
	wait := firstWait
	for try := 1; ; try++ {
		err := f.initialise(ctx, m.Map)
		if err == nil {
			out.init = f.init
			out.data, err = f.part(ctx, s.URI, span{start, s.ByteRangeLength})
		}
		if err == nil {
			return out, nil
		}
		if ctx.Err() != nil || errors.Is(err, errAddress) {
			return out, err
		}
		if try == mostTries {
			f.o.Log.DebugContext(ctx, "segment lost", "url", shown(f.url), "reason", err)
			out.lost = segmentLost
			return out, nil
		}
		if err := pcm.Sleep(ctx, wait); err != nil {
			return out, err
		}
		wait *= 2
	}
}

// mostLasts bounds a segment's duration.
const mostLasts = time.Minute

// initialise makes sure that the initialisation section is there.
func (f *follower) initialise(ctx context.Context, m *playlist.MediaMap) error {
	if m == nil || m.URI == "" {
		f.initOf, f.init = "", nil
		return nil
	}
	var start uint64
	if m.ByteRangeStart != nil {
		start = *m.ByteRangeStart
	}
	of := fmt.Sprint(m.URI, start)
	if of == f.initOf {
		return nil
	}
	data, err := f.part(ctx, m.URI, span{start, m.ByteRangeLength})
	if err != nil {
		return err
	}
	f.initOf, f.init = of, data
	return nil
}

// A span is a byte range; without a length it is everything.
type span struct {
	start  uint64
	length *uint64
}

// part fetches a part of what is at uri.
func (f *follower) part(ctx context.Context, uri string, s span) ([]byte, error) {
	u, err := f.url.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("read a segment's address: %w", errMedia)
	}
	h := http.Header{}
	if s.length != nil {
		if *s.length == 0 || *s.length > uint64(segmentBounds.bytes) || s.start+*s.length < s.start {
			return nil, fmt.Errorf("get %s: a range of %d bytes: %w", shown(u), *s.length, errTooLong)
		}
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", s.start, s.start+*s.length-1))
	}
	r, data, err := f.fetch.document(ctx, u, h, segmentBounds)
	if err != nil {
		return nil, err
	}
	if s.length != nil && r.status != http.StatusPartialContent { // all of it came
		if uint64(len(data)) < s.start+*s.length {
			return nil, fmt.Errorf("get %s: %w", shown(u), errMedia)
		}
		data = data[s.start : s.start+*s.length]
	}
	return data, nil
}
