package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/origin/store"
	"longwave/origin/store/memory"
	"longwave/origin/store/storetest"
	"longwave/packager"
)

// fill puts objects of 100 bytes, one every two seconds; "#" alone lets time pass.
func fill(t *testing.T, s store.Store, names ...store.Name) {
	t.Helper()
	for _, n := range names {
		data := []byte(strings.Repeat("x", 100))
		if _, err := s.PutIf(t.Context(), n, data, store.Always); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
	}
}

func playlist(t *testing.T, s store.Store, n store.Name, text string) {
	t.Helper()
	if _, err := s.PutIf(t.Context(), n, []byte(text), store.Always); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, s store.Store) []store.Name {
	t.Helper()
	var all []store.Name
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info.Name)
	}
	return all
}

func segments(rendition string, from, to int) []store.Name {
	var all []store.Name
	for msn := from; msn < to; msn++ {
		all = append(all, store.Name(fmt.Sprintf("%s/%d.m4s", rendition, msn)))
	}
	return all
}

const live = "#EXTM3U\n#EXT-X-MAP:URI=\"init-aa.mp4\"\n#EXTINF:1.91999,\n7.m4s\n#EXT-X-PART:DURATION=0.31999,URI=\"8.0.m4s\"\n"

func TestSweep(t *testing.T) {
	station := append([]store.Name{
		"_/settings.json", "talk/index.m3u8", "talk/status.json", "talk/a/init-aa.mp4", "talk/a/init-bb.mp4",
		"talk/a/8.0.m4s", "talk/a/8.1.m4s",
	}, segments("talk/a", 0, 10)...)
	tests := []struct {
		name string
		put  func(t *testing.T, s store.Store)
		o    store.RetainOptions
		gone []store.Name
	}{
		{name: "no limit: only parts go, not the one that is named", gone: []store.Name{"talk/a/8.1.m4s"}},
		{
			name: "age: what is named stays, and both init segments",
			o:    store.RetainOptions{MaxAge: time.Minute},
			gone: []store.Name{
				"talk/a/0.m4s", "talk/a/1.m4s", "talk/a/2.m4s", "talk/a/3.m4s", "talk/a/4.m4s",
				"talk/a/5.m4s", "talk/a/6.m4s", "talk/a/8.1.m4s", "talk/a/8.m4s", "talk/a/9.m4s",
			},
		},
		{
			name: "age: what another store is to get stays",
			o:    store.RetainOptions{MaxAge: time.Minute, Owed: func(k packager.Key) bool { return k.MSN < 3 || k.MSN > 8 }},
			gone: []store.Name{"talk/a/3.m4s", "talk/a/4.m4s", "talk/a/5.m4s", "talk/a/6.m4s", "talk/a/8.1.m4s", "talk/a/8.m4s"},
		},
		{
			name: "age: of what another store is to get as much as there is room for, the newest",
			o:    store.RetainOptions{MaxAge: time.Minute, OwedBytes: 350, Owed: func(k packager.Key) bool { return k.MSN != 9 }},
			gone: []store.Name{"talk/a/0.m4s", "talk/a/1.m4s", "talk/a/2.m4s", "talk/a/3.m4s", "talk/a/4.m4s", "talk/a/5.m4s", "talk/a/8.1.m4s", "talk/a/9.m4s"},
		},
		{
			name: "age: what another store is to get goes one day, too",
			o:    store.RetainOptions{MaxAge: time.Minute, OwedAge: 2 * time.Minute, Owed: func(packager.Key) bool { return true }},
			gone: []store.Name{
				"talk/a/0.m4s", "talk/a/1.m4s", "talk/a/2.m4s", "talk/a/3.m4s", "talk/a/4.m4s",
				"talk/a/5.m4s", "talk/a/6.m4s", "talk/a/8.1.m4s", "talk/a/8.m4s", "talk/a/9.m4s",
			},
		},
		{name: "age not reached", o: store.RetainOptions{MaxAge: time.Hour}, gone: []store.Name{"talk/a/8.1.m4s"}},
		{
			name: "bytes: oldest first, no more than needed",
			// There are 15 objects of 100 bytes, one of them the part that goes anyway,
			// and two playlists.
			o:    store.RetainOptions{MaxBytes: 1200 + int64(len(live)) + int64(len("#EXTM3U\n"))},
			gone: []store.Name{"talk/a/0.m4s", "talk/a/1.m4s", "talk/a/8.1.m4s"},
		},
		{
			name: "bytes: the oldest of all renditions, by number and not by name",
			put: func(t *testing.T, s store.Store) {
				fill(t, s, "talk/b/9.m4s", "talk/b/10.m4s", "talk/b/0.m4s", "talk/b/100.m4s")
				playlist(t, s, "talk/b/live.m3u8", "#EXTM3U\n100.m4s\n")
				time.Sleep(10 * time.Minute)
			},
			o: store.RetainOptions{MaxBytes: 1},
			gone: []store.Name{
				"talk/a/0.m4s", "talk/a/1.m4s", "talk/a/2.m4s", "talk/a/3.m4s", "talk/a/4.m4s", "talk/a/5.m4s",
				"talk/a/6.m4s", "talk/a/8.1.m4s", "talk/a/8.m4s", "talk/a/9.m4s", "talk/b/0.m4s", "talk/b/10.m4s", "talk/b/9.m4s",
			},
		},
		{
			name: "another station has its own limit",
			put: func(t *testing.T, s store.Store) {
				fill(t, s, segments("other/a", 0, 3)...)
				time.Sleep(10 * time.Minute)
			},
			o:    store.RetainOptions{MaxBytes: 5000},
			gone: []store.Name{"talk/a/8.1.m4s"},
		},
		{
			name: "a rendition without segments loses its init segment",
			put: func(t *testing.T, s store.Store) {
				fill(t, s, "talk/b/init-cc.mp4", "talk/b/3.m4s", "talk/c/init-dd.mp4")
				playlist(t, s, "talk/c/live.m3u8", "#EXTM3U\n#EXT-X-MAP:URI=\"init-dd.mp4\"\n")
				time.Sleep(time.Hour)
				fill(t, s, "talk/d/init-ee.mp4") // of a rendition that begins
			},
			o: store.RetainOptions{MaxAge: time.Hour, MaxBytes: 0},
			gone: []store.Name{
				"talk/a/0.m4s", "talk/a/1.m4s", "talk/a/2.m4s", "talk/a/3.m4s", "talk/a/4.m4s", "talk/a/5.m4s",
				"talk/a/6.m4s", "talk/a/8.1.m4s", "talk/a/8.m4s", "talk/a/9.m4s", "talk/b/3.m4s", "talk/b/init-cc.mp4",
			},
		},
		{
			name: "a replay names its segments by an absolute address, a relative one, and a host's",
			put: func(t *testing.T, s store.Store) {
				playlist(t, s, "talk/replay.m3u8", "#EXTM3U\n/talk/a/1.m4s\na/2.m4s\r\nhttps://cdn.example/x/talk/a/3.m4s?t=1\n")
			},
			o: store.RetainOptions{MaxAge: time.Minute},
			gone: []store.Name{
				"talk/a/0.m4s", "talk/a/4.m4s", "talk/a/5.m4s", "talk/a/6.m4s", "talk/a/8.1.m4s", "talk/a/8.m4s", "talk/a/9.m4s",
			},
		},
		{
			name: "what is young stays, whatever the limit",
			put:  func(t *testing.T, s store.Store) { fill(t, s, segments("talk/a", 20, 25)...) },
			o:    store.RetainOptions{MaxBytes: 1},
			gone: []store.Name{
				"talk/a/0.m4s", "talk/a/1.m4s", "talk/a/2.m4s", "talk/a/3.m4s", "talk/a/4.m4s",
				"talk/a/5.m4s", "talk/a/6.m4s", "talk/a/8.1.m4s", "talk/a/8.m4s", "talk/a/9.m4s",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(memory.Store)
				fill(t, s, station...)
				playlist(t, s, "talk/a/live.m3u8", live)
				playlist(t, s, "talk/index.m3u8", "#EXTM3U\n")
				time.Sleep(10 * time.Minute)
				if tt.put != nil {
					tt.put(t, s)
				}
				before := names(t, s)
				swept, err := store.NewRetain(s, tt.o).Sweep(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.gone, missing(before, names(t, s))); diff != "" {
					t.Errorf("deleted (-want +got):\n%s", diff)
				}
				if swept.Deleted != len(tt.gone) || swept.DeletedBytes != int64(100*len(tt.gone)) {
					t.Errorf("says %+v, deleted %d", swept, len(tt.gone))
				}
			})
		})
	}
}

func missing(before, after []store.Name) []store.Name {
	has := make(map[store.Name]bool)
	for _, n := range after {
		has[n] = true
	}
	var gone []store.Name
	for _, n := range before {
		if !has[n] {
			gone = append(gone, n)
		}
	}
	return gone
}

// When it cannot be told what a playlist names, nothing of its station goes.
func TestSweepFaults(t *testing.T) {
	getFails := func(op storetest.Operation, n store.Name) storetest.Fault {
		if op == storetest.Get && n == "talk/a/live.m3u8" {
			return storetest.Lost
		}
		return storetest.Sound
	}
	tests := []struct {
		name     string
		playlist string
		next     func(storetest.Operation, store.Name) storetest.Fault
		other    bool // the other station is swept
		err      string
	}{
		{"get fails", live, getFails, true, "connection reset"},
		{"empty", "", storetest.Always(storetest.Sound), true, "does not begin with #EXTM3U"},
		{"no playlist", "<html>", storetest.Always(storetest.Sound), true, "does not begin with #EXTM3U"},
		{"almost one", "#EXTM3UX\n", storetest.Always(storetest.Sound), true, "does not begin with #EXTM3U"},
		{"cut off", "#EXTM3U\n#EXT-X-MAP:URI=\"init-a", storetest.Always(storetest.Sound), true, "without an end"},
		{"a variable", "#EXTM3U\n{$base}/1.m4s\n", storetest.Always(storetest.Sound), true, "cannot be resolved"},
		{"no URI", "#EXTM3U\n%zz\n", storetest.Always(storetest.Sound), true, "cannot be resolved"},
		{"list fails", live, func(op storetest.Operation, _ store.Name) storetest.Fault {
			if op == storetest.List {
				return storetest.Lost
			}
			return storetest.Sound
		}, false, "connection reset"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(memory.Store)
				fill(t, s, segments("talk/a", 0, 3)...)
				fill(t, s, segments("other/a", 0, 3)...)
				playlist(t, s, "talk/a/live.m3u8", tt.playlist)
				time.Sleep(time.Hour)
				before := names(t, s)
				r := store.NewRetain(&storetest.Faulty{Store: s, Next: tt.next}, store.RetainOptions{MaxAge: time.Minute})
				_, err := r.Sweep(t.Context())
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want one that says %q", err, tt.err)
				}
				var want []store.Name
				if tt.other {
					want = segments("other/a", 0, 3)
				}
				if diff := cmp.Diff(want, missing(before, names(t, s))); diff != "" {
					t.Errorf("deleted (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A playlist that lies in the store under a name that is not ours may name
// segments: it is never taken for none.
func TestSweepForeignPlaylist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(memory.Store)
		fill(t, s, segments("talk/a", 0, 3)...)
		time.Sleep(time.Hour)
		foreign := &withName{s, "talk/b/2031/Evening.m3u8"}
		_, err := store.NewRetain(foreign, store.RetainOptions{MaxAge: time.Minute}).Sweep(t.Context())
		if !errors.Is(err, store.ErrName) {
			t.Errorf("error %v", err)
		}
		if n := len(names(t, s)); n != 3 {
			t.Errorf("%d segments are left, want 3", n)
		}
	})
}

func TestRetainRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(memory.Store)
		fill(t, s, segments("talk/a", 0, 5)...)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- store.NewRetain(s, store.RetainOptions{MaxAge: 10 * time.Minute, Every: time.Minute}).Run(ctx)
		}()
		time.Sleep(10*time.Minute - 10*time.Second - time.Second)
		if n := len(names(t, s)); n != 5 {
			t.Errorf("%d left before their time, want 5", n)
		}
		time.Sleep(2 * time.Minute)
		if n := len(names(t, s)); n != 0 {
			t.Errorf("%d left, want 0", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A store that fails does not end the run: what could not be deleted is deleted
// later.
func TestRetainGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(memory.Store)
		fill(t, s, segments("talk/a", 0, 5)...)
		down := time.Now().Add(30 * time.Minute)
		f := &storetest.Faulty{Store: s, Next: func(op storetest.Operation, _ store.Name) storetest.Fault {
			if op == storetest.Delete && time.Now().Before(down) {
				return storetest.Lost
			}
			return storetest.Sound
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := store.NewRetain(f, store.RetainOptions{MaxAge: time.Minute}).Run(ctx); err != nil {
			t.Error(err)
		}
		if n := len(names(t, s)); n != 0 {
			t.Errorf("%d left, want 0", n)
		}
	})
}
