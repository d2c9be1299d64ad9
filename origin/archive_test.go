package origin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"longwave/packager"
)

// hanging is a store that never answers.
type hanging struct{}

func (hanging) Get(ctx context.Context, _ packager.Key) (packager.Object, error) {
	<-ctx.Done()
	return packager.Object{}, ctx.Err()
}

// TestArchiveHangs: a store that hangs does not gather requests without end, and who leaves
// gives everything back.
func TestArchiveHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, hanging{}, 20)
		ctx, leave := context.WithCancel(t.Context())
		answers := make(chan int, 100)
		for range 50 {
			go func() {
				w := httptest.NewRecorder()
				g.handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/talk/opus-48/5.m4s", nil))
				answers <- w.Code
			}()
		}
		synctest.Wait()
		if n := len(answers); n != 30 {
			t.Errorf("%d of 50 were answered at once, want 30: 20 may wait", n)
		}
		for range len(answers) {
			if status := <-answers; status != http.StatusNotFound {
				t.Errorf("status %d, want 404", status)
			}
		}
		leave()
		synctest.Wait()
		if n := len(answers); n != 20 {
			t.Errorf("%d of 20 came to an end when their listeners left", n)
		}
	})
}

// TestSamePlaylist: a playlist that comes again, as from a twin, wakes nobody.
func TestSamePlaylist(t *testing.T) {
	g := newRig(t, nil, 0)
	before, _ := g.live.Playlist("talk", "opus-48")
	g.put(packager.Key{Rendition: "opus-48", Kind: packager.Media}, string(g.media.Append(nil)))
	if after, _ := g.live.Playlist("talk", "opus-48"); after != before {
		t.Error("it is a new version")
	}
}
