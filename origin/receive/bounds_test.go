package receive_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longwave/origin"
	"longwave/origin/receive"
	"longwave/packager"
	"longwave/packager/relay/relaytest"
)

// newBounded returns an origin with little room.
func newBounded(stations ...string) *receive.Server {
	return receive.New(receive.Options{
		Live: origin.NewLive(), Tokens: tokens{}, Stations: stations, MaxBytes: 1 << 20, MaxRenditions: 4, Log: slog.New(slog.DiscardHandler),
	})
}

// TestMuchFromLittle: no playlist makes more of what is here than there is: a part may
// stand in its own place only, and a segment once.
func TestMuchFromLittle(t *testing.T) {
	s := newBounded("talk")
	for _, name := range []string{"init-1.mp4", "7.0.m4s", "8.0.m4s"} {
		if w := ask(s, "PUT", "/push/talk/a/"+name, make([]byte, 64<<10)); w.Code != http.StatusCreated {
			t.Fatalf("%s: status %d", name, w.Code)
		}
	}
	const head = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=0.32\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"init-1.mp4\"\n"
	part := func(uri string) string { return "#EXT-X-PART:DURATION=0.32,URI=\"" + uri + "\"\n" }
	const end = "#EXTINF:1.92,\n"
	for _, c := range []struct {
		name, text string
		status     int
	}{
		{"a part again and again", strings.Repeat(part("7.0.m4s"), 500) + end + "7.m4s\n", 400},
		{"a segment again and again", strings.Repeat(part("7.0.m4s")+end+"7.m4s\n", 500), 400},
		{"another segment's part", part("8.0.m4s") + end + "7.m4s\n", 400},
		{"a part as a segment", end + "7.0.m4s\n", 400},
		{"a segment as a part", part("7.m4s") + end + "7.m4s\n", 400},
		{"media as an init segment", "#EXT-X-MAP:URI=\"7.0.m4s\"\n" + part("7.0.m4s") + end + "7.m4s\n", 400},
		{"as it should be", part("7.0.m4s") + end + "7.m4s\n", 201},
	} {
		if w := ask(s, "PUT", "/push/talk/a/live.m3u8", []byte(head+c.text)); w.Code != c.status {
			t.Errorf("%s: status %d, want %d: %.200s", c.name, w.Code, c.status, w.Body)
		}
	}
}

// TestManyAndSmall: what has few bytes or none is bounded too.
func TestManyAndSmall(t *testing.T) {
	for _, c := range []struct {
		name   string
		path   string // of the n-th
		body   string
		status int // at last
		within int
	}{
		{"states", "talk/s%d.json", "{}", 507, 100},
		{"lists", "talk/l%d.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttps://cdn.example/a/live.m3u8\n", 507, 100},
		{"empty playlists", "talk/r%d/live.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n", 507, 10},
		{"parts of a byte", "talk/a/%d.0.m4s", "x", 507, 5000},
		{"init segments of a byte", "talk/a/init-%d.mp4", "x", 507, 5000},
		{"empty parts", "talk/a/%d.0.m4s", "", 400, 1},
		{"foreign playlists", "talk/f%d.x.m3u8", string(foreignText(0, 2)), 507, 20},
		{"foreign files of a byte", "talk/f%d.ts", "x", 507, 5000},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newBounded("talk")
			status := 0
			for n := range c.within {
				if status = ask(s, "PUT", "/push/"+fmt.Sprintf(c.path, n), []byte(c.body)).Code; status >= 400 {
					break
				}
			}
			if status != c.status {
				t.Errorf("status %d after %d, want %d", status, c.within, c.status)
			}
		})
	}
	s := newBounded("talk")
	if w := ask(s, "PUT", "/push/talk/x.ts.m3u8", foreignText(0, 5000)); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a foreign playlist of 5000 segments: status %d, want 413", w.Code)
	}
}

// slowly is a body of which the last byte never comes.
type slowly struct {
	io.Reader
	end chan struct{}
}

func (s slowly) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if err == io.EOF {
		<-s.end
	}
	return n, err
}

// TestSlowBodies: bodies that do not end leave room for other stations, and take no more
// memory than the station may have.
func TestSlowBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBounded("talk", "music")
		end := make(chan struct{})
		answers := make(chan int, 1000)
		send := func(size int64, sent int) {
			r := httptest.NewRequest(http.MethodPut, "http://b.example/push/talk/slow.ts", slowly{bytes.NewReader(make([]byte, sent)), end})
			r.ContentLength = size
			r.Header.Set("Authorization", "Bearer talk-origin")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			answers <- w.Code
		}
		for range 6 {
			go send(1<<20, 300<<10)
		}
		synctest.Wait()
		if n := len(answers); n < 2 || n > 4 {
			t.Errorf("of 6 bodies with 300 KiB each %d were refused, and there is room for 1 MiB", n)
		}
		for range len(answers) {
			if status := <-answers; status != http.StatusInsufficientStorage {
				t.Errorf("status %d, want 507", status)
			}
		}
		for range 300 {
			go send(1000, 1)
		}
		synctest.Wait()
		if w := ask(s, "PUT", "/push/music/a.ts", []byte("x"), "Authorization", "Bearer music-origin"); w.Code != http.StatusCreated {
			t.Errorf("another station: status %d: %s", w.Code, w.Body)
		}
		close(end)
		synctest.Wait()
		if w := ask(s, "PUT", "/push/talk/a.ts", []byte("x")); w.Code != http.StatusCreated {
			t.Errorf("when the slow ones are over: status %d: %s", w.Code, w.Body)
		}
	})
}

// TestEndStays: a playlist that was under way for long does not take back what a newer
// one said though both end with the same part.
func TestEndStays(t *testing.T) {
	live, s := newOrigin("talk")
	talk := relaytest.New(t, fill{t, s}, 1000)
	key := packager.Key{Station: "talk", Rendition: "opus-24", Kind: packager.Media}
	for range relaytest.Parts {
		talk.Next()
	}
	late, _ := live.Object(key)
	talk.End()
	if w := ask(s, "PUT", "/push/"+key.String(), late); w.Code != http.StatusConflict {
		t.Errorf("status %d, want 409", w.Code)
	}
	if now, _ := live.Object(key); !bytes.Contains(now, []byte("ENDLIST")) {
		t.Errorf("the end was taken back:\n%s", now)
	}
}

// TestAnotherLadder: a node that starts again with fewer renditions leaves nothing behind:
// an origin whose live edge seems to stand is taken off by load balancers.
func TestAnotherLadder(t *testing.T) {
	inBubble(t, func(s *setting) {
		ladder := slices.DeleteFunc(relaytest.Ladder(), func(r relaytest.Rendition) bool { return r.Name == "opus-96" })
		s.talk = relaytest.NewOn(t, s.newRelay(nil), s.talk.MSN+2, ladder)
		s.run(20 * time.Second)
		if age, ok := s.live.Age("talk"); !ok || age > packager.TargetDuration {
			t.Errorf("the live edge seems to stand for %v", age)
		}
		if n, _ := s.live.Size("talk"); n != len(ladder) {
			t.Errorf("%d renditions are in memory, want %d", n, len(ladder))
		}
		s.atEdge("opus-24", "opus-48", "aac-48", "aac-96")
	})
}
