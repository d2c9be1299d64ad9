package follow_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"longwave/origin"
	"longwave/origin/follow"
	"longwave/origin/store"
	"longwave/origin/store/memory"
	"longwave/packager"
	"longwave/packager/hls"
	"longwave/packager/relay/relaytest"
)

// plain keeps what a store is given: segments and playlists without parts.
type plain struct {
	to      store.Store
	without string // a rendition that is left out
}

// Put implements packager.Sink.
func (p plain) Put(ctx context.Context, o packager.Object) error {
	if o.Key.Kind == packager.Part || p.without != "" && o.Key.Rendition == p.without {
		return nil
	}
	switch o.Key.Kind {
	case packager.Media:
		m, err := hls.ParseMedia(o.Data)
		if err != nil {
			return err
		}
		m.PartTarget, m.Control, m.Open, m.Hints, m.Reports = 0, hls.ServerControl{}, hls.Segment{}, nil, nil
		for i := range m.Segments {
			m.Segments[i].Parts = nil
		}
		o.Data = m.Append(nil)
	case packager.Multivariant:
		m, err := hls.ParseMultivariant(o.Data)
		if err != nil {
			return err
		}
		var kept []hls.Variant
		for _, v := range m.Variants {
			if v.StableID != p.without {
				kept = append(kept, v)
			}
		}
		m.Variants = kept
		o.Data = m.Append(nil)
	default:
	}
	return p.to.Put(ctx, o)
}

// faulty is a store that may be away, or without an object.
type faulty struct {
	store.Store
	mu   sync.Mutex
	away bool
	lost store.Name
}

// fail says what is wrong from now on.
func (f *faulty) fail(away bool, lost store.Name) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away, f.lost = away, lost
}

func (f *faulty) Get(ctx context.Context, n store.Name) (store.Object, error) {
	f.mu.Lock()
	away, lost := f.away, f.lost
	f.mu.Unlock()
	switch {
	case away:
		return store.Object{}, errors.New("away")
	case n == lost:
		return store.Object{}, store.ErrNotFound
	}
	return f.Store.Get(ctx, n)
}

func (f *faulty) Head(ctx context.Context, n store.Name) (store.Info, error) {
	f.mu.Lock()
	away := f.away
	f.mu.Unlock()
	if away {
		return store.Info{}, errors.New("away")
	}
	return f.Store.Head(ctx, n)
}

// segment is how long one lasts.
const segment = 1920 * time.Millisecond

// TestFollow: what stands in a store is at the origin a second later, whole and in
// order; a store that is away or has a hole is said once, and waited for.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		from, live := &faulty{Store: &memory.Store{}}, origin.NewLive()
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go func() { _ = live.Run(ctx) }()
		go func() {
			_ = follow.New(follow.Options{Store: from, Live: live, Stations: []string{"talk"}, Log: slog.New(slog.NewTextHandler(&log, nil))}).Run(ctx)
		}()
		time.Sleep(3 * time.Second) // nothing is there yet
		talk := relaytest.New(t, plain{to: from}, 1000)
		next := func() {
			for range relaytest.Parts {
				talk.Next()
			}
			time.Sleep(segment)
			synctest.Wait()
		}
		ends := func(want int64) {
			t.Helper()
			for _, r := range talk.Ladder {
				m, _ := live.Playlist("talk", r.Name)
				if m == nil || m.OpenMSN() != want {
					t.Fatalf("%s: %v, want it to end before %d", r.Name, m, want)
				}
				for i, s := range m.Segments {
					k := packager.Key{Station: "talk", Rendition: r.Name, Kind: packager.Segment, MSN: m.MediaSequence + int64(i)}
					if data, _ := live.Object(k); string(data) != string(talk.Bytes(k)) {
						t.Errorf("%s: %s has %d bytes, not those that were made", r.Name, s.URI, len(data))
					}
				}
			}
		}
		time.Sleep(2 * time.Second)
		ends(1000)
		if _, ok := live.Object(packager.Key{Station: "talk", Kind: packager.Multivariant, Name: "index"}); !ok {
			t.Error("index.m3u8 is not there")
		}
		for range 3 {
			next()
			ends(talk.MSN)
		}
		from.fail(true, "")
		next()
		next()
		ends(talk.MSN - 2)
		from.fail(false, "")
		next()
		ends(talk.MSN)
		from.fail(false, "talk/opus-24/1006.m4s")
		next()
		if m, _ := live.Playlist("talk", "opus-24"); m.OpenMSN() != 1006 {
			t.Errorf("opus-24 ends before %d, want 1006: the next one is not there", m.OpenMSN())
		}
		from.fail(false, "")
		next()
		ends(talk.MSN)
		if got := strings.Count(log.String(), "cannot follow"); got != 2 {
			t.Errorf("said %d times that the store fails, want 2:\n%s", got, log.String())
		}
		talk.Sink = plain{to: from, without: "aac-96"}
		talk.Lists()
		next()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if m, _ := live.Playlist("talk", "aac-96"); m != nil {
			t.Error("aac-96 is still there: the store lists it no more")
		}
	})
}

// TestOneFails: a rendition that cannot be read does not hold up the others, and a list
// that is gone for a while takes nothing away.
func TestOneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, live := &faulty{Store: &memory.Store{}}, origin.NewLive()
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go func() { _ = live.Run(ctx) }()
		from.fail(false, "talk/aac-48/live.m3u8")
		talk := relaytest.New(t, plain{to: from}, 1000)
		go func() {
			_ = follow.New(follow.Options{Store: slow{from}, Live: live, Stations: []string{"talk"}, Log: slog.New(slog.DiscardHandler)}).Run(ctx)
		}()
		run := func(d time.Duration) {
			for begin := time.Now(); time.Since(begin) < d; {
				time.Sleep(relaytest.PartDur)
				talk.Next()
			}
			synctest.Wait()
		}
		ends := func(when string, without string) {
			t.Helper()
			for _, r := range talk.Ladder {
				if m, _ := live.Playlist("talk", r.Name); r.Name != without && (m == nil || m.OpenMSN() < talk.MSN-1) {
					t.Errorf("%s: %s does not go on", when, r.Name)
				}
			}
		}
		run(10 * time.Second)
		ends("one of them is never there", "aac-48")
		if _, ok := live.Object(packager.Key{Station: "talk", Kind: packager.Multivariant, Name: "index"}); !ok {
			t.Error("there is no list though nearly all that it names is here")
		}
		for _, lost := range []store.Name{"talk/opus.m3u8", "talk/index.m3u8"} {
			from.fail(false, lost)
			run(10 * time.Second)
			ends("without "+string(lost), "")
		}
	})
}

// slow takes a while for what is large, so that others fail first.
type slow struct{ *faulty }

func (s slow) Get(ctx context.Context, n store.Name) (store.Object, error) {
	o, err := s.faulty.Get(ctx, n)
	if err != nil {
		return o, err
	}
	select {
	case <-time.After(50 * time.Millisecond):
		return o, nil
	case <-ctx.Done():
		return store.Object{}, ctx.Err()
	}
}

// TestOldPlaylist: a store that shows an older playlist again takes nothing back.
func TestOldPlaylist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, live := &memory.Store{}, origin.NewLive()
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go func() { _ = live.Run(ctx) }()
		talk := relaytest.New(t, plain{to: from}, 1000)
		go func() {
			_ = follow.New(follow.Options{Store: from, Live: live, Stations: []string{"talk"}, Log: slog.New(slog.DiscardHandler)}).Run(ctx)
		}()
		key := packager.Key{Station: "talk", Rendition: "aac-48", Kind: packager.Media}
		old, err := from.Get(ctx, store.NameOf(key))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 * relaytest.Parts {
			time.Sleep(relaytest.PartDur)
			talk.Next()
		}
		time.Sleep(1500 * time.Millisecond)
		if err := from.Put(ctx, packager.Object{Key: key, Data: old.Data}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if m, _ := live.Playlist("talk", "aac-48"); m.OpenMSN() != talk.MSN {
			t.Errorf("it ends before %d, before it ended before %d", m.OpenMSN(), talk.MSN)
		}
	})
}
