package receive_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longwave/origin/receive"
	"longwave/packager"
	"longwave/packager/relay"
	"longwave/packager/relay/relaytest"
)

// young passes on what is not of the past: a run before kept that.
type young struct {
	packager.Sink
	first int64
}

func (y young) Put(ctx context.Context, o packager.Object) error {
	if y.Sink == nil || o.Key.Kind == packager.Segment && o.Key.MSN < y.first {
		return nil
	}
	return y.Sink.Put(ctx, o)
}

// A torn disk lacks a segment that a playlist names.
type torn struct {
	packager.Reader
	lost packager.Key
}

func (p torn) Read(ctx context.Context, k packager.Key) ([]byte, error) {
	if k == p.lost {
		return nil, errors.New("input/output error")
	}
	return p.Reader.Read(ctx, k)
}

// TestReportsAfterAnOutage: an origin that is filled anew is not told of where renditions
// stood when it went.
func TestReportsAfterAnOutage(t *testing.T) {
	inBubble(t, func(s *setting) {
		s.run(5 * time.Second)
		s.link.Serve(nil)
		s.run(10 * time.Second)
		live, server := newOrigin("talk")
		s.live = live
		s.link.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			server.ServeHTTP(w, r)
			k, err := packager.ParseKey(strings.TrimPrefix(r.URL.Path, receive.Prefix))
			if err != nil || k.Kind != packager.Media {
				return
			}
			m, _ := live.Playlist(k.Station, k.Rendition)
			if m == nil {
				return
			}
			for _, report := range m.Reports {
				if report.Last.MSN < m.Last().MSN-2 {
					t.Errorf("%s ends at %v and says that %s is at %v", k, m.Last(), report.URI, report.Last)
				}
			}
		}))
		s.run(5 * time.Second)
		s.atEdge(all...)
		s.check(all...)
	})
}

// TestUnreadable: an old segment that cannot be read does not keep an origin from being
// filled with what is newer.
func TestUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &setting{T: t, link: relaytest.NewLink(nil)}
		s.start()
		past := relaytest.New(t, young{}, first)
		r := relay.New(relay.Options{
			Name: "b", URL: "https://b.example", Token: bearer, Client: &http.Client{Transport: s.link}, Log: slog.New(slog.DiscardHandler),
			Past: torn{past, packager.Key{Station: "talk", Rendition: "opus-48", Kind: packager.Segment, MSN: first - 20}},
		})
		go func() { _ = r.Run(t.Context()) }()
		s.talk = relaytest.New(t, young{r, first}, first)
		s.run(3 * time.Second)
		s.atEdge(all...)
		s.check(all...)
		if m := s.playlist("opus-48"); m.FirstMSN() != first-19 {
			t.Errorf("it begins with %d, want what comes after the one that cannot be read", m.FirstMSN())
		}
	})
}
