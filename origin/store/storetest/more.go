package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/origin/store"
	"longwave/packager"
)

// listed are names in the order of their bytes. Where '-' and '.' meet '/', the
// order of names is not that of a tree of folders.
var listed = []store.Name{
	"_/settings.json",
	"_/settings/talk.json",
	"talk-2/index.m3u8",
	"talk/index.m3u8",
	"talk/opus-48-b/1.m4s",
	"talk/opus-48/10.0.m4s",
	"talk/opus-48/10.1.m4s",
	"talk/opus-48/10.m4s",
	"talk/opus-48/11.m4s",
	"talk/opus-48/9.m4s",
	"talk/opus-48/live.m3u8",
	"talk/status.json",
	"talk/status/live.m3u8",
	"talk2/index.m3u8",
}

func testList(t *testing.T, s store.Store) {
	for i := range listed {
		put(t, s, listed[(i*5+3)%len(listed)], noise(i*5%14, 1))
	}
	tests := []struct {
		prefix string
		after  store.Name
	}{
		{},
		{after: "talk/opus-48/10.1.m4s"},
		{after: "talk/opus-48/10.2.m4s"},
		{after: "talk2/index.m3u8"},
		{after: "zzz"},
		{prefix: "talk/"},
		{prefix: "talk"},
		{prefix: "_/"},
		{prefix: "_/settings."},
		{prefix: "talk/opus-48"},
		{prefix: "talk/opus-48/"},
		{prefix: "talk/opus-48/1"},
		{prefix: "talk/opus-48/10.m4s"},
		{prefix: "talk/opus-48/", after: "talk/opus-48/10.m4s"},
		{prefix: "talk/opus-48/", after: "a"},
		{prefix: "talk/opus-48/", after: "talk/status.json"},
		{prefix: "nobody/"},
	}
	for _, tt := range tests {
		var want, got []store.Name
		for _, n := range listed {
			if strings.HasPrefix(string(n), tt.prefix) && n > tt.after {
				want = append(want, n)
			}
		}
		for info, err := range s.List(t.Context(), tt.prefix, tt.after) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info.Name)
			h, err := s.Head(t.Context(), info.Name)
			if err != nil {
				t.Fatal(err)
			}
			if info.Size != h.Size || !sameSecond(info.Modified, h.Modified) || info.ETag != "" && info.ETag != h.ETag {
				t.Errorf("listed as %+v, head says %+v", info, h)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("list %q after %q (-want +got):\n%s", tt.prefix, tt.after, diff)
		}
	}
	for range s.List(t.Context(), "", "") {
		break // leaving early must be possible
	}
}

func testListEmpty(t *testing.T, s store.Store) {
	for _, prefix := range []string{"", "talk/", "../", "/", "talk//", "\x00", "_"} {
		for info, err := range s.List(t.Context(), prefix, "") {
			t.Errorf("list %q of an empty store yields %v, %v", prefix, info, err)
		}
	}
}

func testDelete(t *testing.T, s store.Store) {
	for _, n := range []store.Name{store.NameOf(segment(7)), store.NameOf(media("opus-48")), store.Private("a", "b")} {
		put(t, s, n, []byte("one"))
		for range 2 { // the second finds nothing, which is a success
			if err := s.Delete(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.Get(t.Context(), n)
		wantErr(t, err, store.ErrNotFound)
		for info, err := range s.List(t.Context(), "", "") {
			t.Errorf("still listed: %v, %v", info, err)
		}
		put(t, s, n, []byte("two"))
		want(t, s, n, []byte("two"))
		if err := s.Delete(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(t.Context(), "nobody/index.m3u8"); err != nil {
		t.Error(err)
	}
}

func testNotFound(t *testing.T, s store.Store) {
	put(t, s, "talk/opus-48/10.m4s", []byte("x"))
	for _, n := range []store.Name{
		"talk/opus-48/1.m4s", "talk/opus-48/100.m4s", "talk/opus-96/10.m4s", "talk2/index.m3u8",
		"talk/opus-48.json", "_/talk.json",
	} {
		_, err := s.Get(t.Context(), n)
		wantErr(t, err, store.ErrNotFound)
		_, err = s.Head(t.Context(), n)
		wantErr(t, err, store.ErrNotFound)
	}
}

// OddNames are names that every store must refuse.
var OddNames = []store.Name{
	"", "/", ".", "..", "talk", "talk/", "/talk/index.m3u8", "talk//index.m3u8", "talk/../index.m3u8",
	"../talk/index.m3u8", "talk/./index.m3u8", "./talk/index.m3u8", "talk/opus-48/../../../etc/passwd",
	"talk/opus-48/.tmp", ".tmp/x.json", "talk\\index.m3u8", "talk/index.m3u8\x00", "talk/in\ndex.m3u8",
	"Talk/index.m3u8", "talk/opus-48/010.m4s", "talk/opus-48/+1.m4s", "talk/opus-48/-1.m4s",
	"talk/opus-48/1.m4s/", "talk/opus-48/1.M4S", "talk/%2e%2e/index.m3u8", "tälk/index.m3u8",
	"_/", "_/x", "_/.json", "_/../talk/index.json", "_/a//b.json", "_/a/../b.json", "_x/status.json",
	"_/A.json", "_", "__/a.json", "_/a.json/", "_/a/b/c/d/e/f/g/h/i.json",
}

func testOddNames(t *testing.T, s store.Store) {
	for _, n := range OddNames {
		_, err := s.PutIf(t.Context(), n, []byte("x"), store.Always)
		wantErr(t, err, store.ErrName)
		_, err = s.Get(t.Context(), n)
		wantErr(t, err, store.ErrName)
		_, err = s.Head(t.Context(), n)
		wantErr(t, err, store.ErrName)
		wantErr(t, s.Delete(t.Context(), n), store.ErrName)
	}
	bad := packager.Object{Key: packager.Key{Station: "..", Kind: packager.State, Name: "x"}, Data: []byte("x")}
	wantErr(t, s.Put(t.Context(), bad), store.ErrName)
	for info, err := range s.List(t.Context(), "", "") {
		t.Errorf("an odd name was stored as %v, %v", info, err)
	}
}

func testCancelled(t *testing.T, s store.Store) {
	put(t, s, "talk/index.m3u8", []byte("x"))
	why := errors.New("the listener has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err := s.PutIf(ctx, "talk/opus-48/1.m4s", []byte("x"), store.Always)
	wantErr(t, err, why)
	_, err = s.Get(ctx, "talk/index.m3u8")
	wantErr(t, err, why)
	_, err = s.Head(ctx, "talk/index.m3u8")
	wantErr(t, err, why)
	wantErr(t, s.Delete(ctx, "talk/index.m3u8"), why)
	var last error
	for _, last = range s.List(ctx, "", "") {
	}
	wantErr(t, last, why)
	want(t, s, "talk/index.m3u8", []byte("x"))
	_, err = s.Get(t.Context(), "talk/opus-48/1.m4s")
	wantErr(t, err, store.ErrNotFound)
}

func testTooBig(t *testing.T, s store.Store) {
	n := store.NameOf(segment(1))
	if _, err := s.PutIf(t.Context(), n, make([]byte, store.MaxBytes+1), store.Always); err == nil {
		t.Errorf("%d bytes were taken", store.MaxBytes+1)
	}
	_, err := s.Get(t.Context(), n)
	wantErr(t, err, store.ErrNotFound)
}

// testConcurrent: five renditions put segments and playlists at once, as the
// packager does. Each object is there as soon as its put has returned.
func testConcurrent(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	for i, r := range []string{"opus-24", "opus-48", "opus-96", "aac-48", "aac-96"} {
		wg.Go(func() {
			for msn := range int64(12) {
				k := packager.Key{Station: "talk", Rendition: r, Kind: packager.Segment, MSN: msn}
				for _, o := range []packager.Object{
					{Key: k, Data: noise(20_000, uint64(i)<<8+uint64(msn))},
					{Key: media(r), Data: []byte("#EXTM3U\n" + k.File())},
				} {
					if err := s.Put(t.Context(), o); err != nil {
						t.Error(err)
						return
					}
					got, err := s.Get(t.Context(), store.NameOf(o.Key))
					if err != nil || !bytes.Equal(got.Data, o.Data) {
						t.Errorf("get right after put: %d bytes, %v", len(got.Data), err)
					}
				}
			}
		})
	}
	wg.Wait()
	n := 0
	for _, err := range s.List(t.Context(), "talk/", "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 5*13 {
		t.Errorf("%d objects, want %d", n, 5*13)
	}
}

// testWhole: while one writer replaces an object, readers see one of its
// versions, never a mixture and never nothing.
func testWhole(t *testing.T, s store.Store) {
	n := store.NameOf(media("opus-48"))
	version := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 1000+i*300) }
	put(t, s, n, version(0))
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				o, err := s.Get(t.Context(), n)
				if err != nil || len(o.Data) == 0 || !bytes.Equal(o.Data, version(int(o.Data[0]))) {
					t.Errorf("a reader got %d bytes, %v: no version that was written", len(o.Data), err)
					return
				}
			}
		})
	}
	for i := range 40 {
		put(t, s, n, version(i))
	}
	close(done)
	readers.Wait()
}

func testAudience(t *testing.T, s store.Store) {
	put(t, s, "talk/status.json", []byte("{}"))
	put(t, s, store.Private("talk", "status"), []byte("secret"))
	a := store.NewAudience(s)
	k := packager.Key{Station: "talk", Kind: packager.State, Name: "status"}
	got, err := a.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(packager.Object{Key: k, Data: []byte("{}")}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A key made by hand, past ParseKey.
	o, err := a.Get(t.Context(), packager.Key{Station: "_", Rendition: "talk", Kind: packager.State, Name: "talk/status"})
	wantErr(t, err, store.ErrName)
	if len(o.Data) > 0 {
		t.Errorf("the audience was given %q", o.Data)
	}
}
