// Package storetest proves that a store keeps the contract of package store
// ([Run]), and breaks a store in the ways in which stores break ([Faulty]).
//
// This package does not measure speed.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/origin/store"
	"longwave/packager"
)

// Options say what more the suite can look at.
type Options struct {
	// Headers returns the HTTP headers with which the store itself would hand
	// out the object. nil: the store has none of its own.
	Headers func(t *testing.T, n store.Name) http.Header
}

// Run proves that what open returns is a [store.Store]. Each of its tests opens
// one of its own, which is empty.
func Run(t *testing.T, open func(t *testing.T) store.Store, o Options) {
	tests := []struct {
		name string
		run  func(t *testing.T, s store.Store)
	}{
		{"bytes", testBytes},
		{"headers", func(t *testing.T, s store.Store) { testHeaders(t, s, o) }},
		{"overwrite", testOverwrite},
		{"immutable", testImmutable},
		{"immutable race", testImmutableRace},
		{"if absent", testIfAbsent},
		{"if absent race", testIfAbsentRace},
		{"if match", testIfMatch},
		{"counter", testCounter},
		{"list", testList},
		{"list foreign prefix", testListEmpty},
		{"delete", testDelete},
		{"not found", testNotFound},
		{"odd names", testOddNames},
		{"cancelled", testCancelled},
		{"too big", testTooBig},
		{"concurrent", testConcurrent},
		{"readers see whole objects", testWhole},
		{"update", testUpdate},
		{"audience", testAudience},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

// Keys of every kind, for tests.
func segment(msn int64) packager.Key {
	return packager.Key{Station: "talk", Rendition: "opus-48", Kind: packager.Segment, MSN: msn}
}

func media(rendition string) packager.Key {
	return packager.Key{Station: "talk", Rendition: rendition, Kind: packager.Media}
}

func everyKind() []packager.Key {
	return []packager.Key{
		{Station: "talk", Kind: packager.Multivariant, Name: "index"},
		media("opus-48"),
		{Station: "talk", Rendition: "opus-48", Kind: packager.Init, Name: "0f3a"},
		segment(928374651),
		{Station: "talk", Rendition: "opus-48", Kind: packager.Part, MSN: 928374651, Part: 5},
		{Station: "talk", Kind: packager.State, Name: "status"},
	}
}

// noise returns n bytes that are the same for the same seed.
func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{0: byte(seed), 1: byte(seed >> 8)}).Read(b)
	return b
}

func put(t *testing.T, s store.Store, n store.Name, data []byte) store.ETag {
	t.Helper()
	etag, err := s.PutIf(t.Context(), n, data, store.Always)
	if err != nil {
		t.Fatal(err)
	}
	if etag == "" {
		t.Fatalf("put %q: empty ETag", n)
	}
	return etag
}

func want(t *testing.T, s store.Store, n store.Name, data []byte) store.Object {
	t.Helper()
	o, err := s.Get(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(o.Data, data) {
		t.Fatalf("get %q: %d bytes that are not the %d that were put", n, len(o.Data), len(data))
	}
	return o
}

func wantErr(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error %v, want one that wraps %q", err, target)
	}
}

func testBytes(t *testing.T, s store.Store) {
	before := time.Now().Add(-time.Minute)
	for i, k := range everyKind() {
		for j, size := range []int{0, 1, 48_000, 5 << 20} {
			k.Station = fmt.Sprintf("talk-%d", j)
			data := noise(size, uint64(i))
			if err := s.Put(t.Context(), packager.Object{Key: k, Data: data}); err != nil {
				t.Fatal(err)
			}
			o := want(t, s, store.NameOf(k), data)
			if o.Name != store.NameOf(k) || o.Size != int64(size) || o.ETag == "" {
				t.Errorf("get says %+v of %d bytes at %q", o.Info, size, k)
			}
			if o.Modified.Before(before) || o.Modified.After(time.Now().Add(time.Minute)) {
				t.Errorf("%q was modified at %v, now is %v", k, o.Modified, time.Now())
			}
			h, err := s.Head(t.Context(), store.NameOf(k))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(o.Info, h, cmp.Comparer(sameSecond)); diff != "" {
				t.Errorf("Get and Head differ (-get +head):\n%s", diff)
			}
		}
	}
}

// sameSecond: HTTP's Last-Modified has no finer resolution.
func sameSecond(a, b time.Time) bool { return a.Sub(b).Abs() <= time.Second }

func testHeaders(t *testing.T, s store.Store, o Options) {
	names := []store.Name{store.Private("settings", "talk")}
	for _, k := range everyKind() {
		names = append(names, store.NameOf(k))
	}
	for _, n := range names {
		put(t, s, n, []byte("{}"))
		if o.Headers == nil {
			continue
		}
		h := o.Headers(t, n)
		if got := h.Get("Content-Type"); got != n.ContentType() {
			t.Errorf("%q has Content-Type %q, want %q", n, got, n.ContentType())
		}
		if got := h.Get("Cache-Control"); got != n.CacheControl() {
			t.Errorf("%q has Cache-Control %q, want %q", n, got, n.CacheControl())
		}
	}
}

func testOverwrite(t *testing.T, s store.Store) {
	for _, n := range []store.Name{store.NameOf(media("opus-48")), store.Private("settings")} {
		var last store.ETag
		for i := range 10 { // longer, shorter, and the same length
			data := noise(1000+i%3*500, uint64(i))
			etag := put(t, s, n, data)
			if etag == last {
				t.Errorf("%q: other bytes, the same ETag %q", n, etag)
			}
			last = etag
			if o := want(t, s, n, data); o.ETag != etag {
				t.Errorf("%q: put returned ETag %q, get %q", n, etag, o.ETag)
			}
		}
	}
}

func testImmutable(t *testing.T, s store.Store) {
	for _, k := range everyKind() {
		if !k.Immutable() {
			continue
		}
		n := store.NameOf(k)
		etag := put(t, s, n, noise(1000, 1))
		for _, c := range []store.Condition{store.Always, store.IfAbsent} {
			if again, err := s.PutIf(t.Context(), n, noise(1000, 1), c); err != nil || again != etag {
				t.Errorf("the same bytes again: ETag %q, %v; want %q", again, err, etag)
			}
			for _, other := range [][]byte{noise(1000, 2), noise(999, 1), {}} {
				_, err := s.PutIf(t.Context(), n, other, c)
				wantErr(t, err, store.ErrConflict)
			}
		}
		_, err := s.PutIf(t.Context(), n, noise(1000, 2), store.IfMatch(etag))
		wantErr(t, err, store.ErrConflict)
		want(t, s, n, noise(1000, 1))
	}
}

// race puts 16 different objects under n at once and returns who won.
func race(t *testing.T, s store.Store, n store.Name, c store.Condition) (winners []int) {
	t.Helper()
	var (
		wg  sync.WaitGroup
		won [16]error
	)
	for i := range won {
		wg.Go(func() { _, won[i] = s.PutIf(t.Context(), n, noise(2000, uint64(i)), c) })
	}
	wg.Wait()
	for i, err := range won {
		if err == nil {
			winners = append(winners, i)
		} else if !errors.Is(err, store.ErrConflict) {
			t.Errorf("racer %d: %v", i, err)
		}
	}
	return winners
}

func testImmutableRace(t *testing.T, s store.Store) {
	for i := range int64(5) {
		n := store.NameOf(segment(i))
		w := race(t, s, n, store.Always)
		if len(w) != 1 {
			t.Fatalf("%q was written by %v, want one", n, w)
		}
		want(t, s, n, noise(2000, uint64(w[0])))
	}
}

func testIfAbsent(t *testing.T, s store.Store) {
	for _, n := range []store.Name{store.NameOf(media("opus-48")), store.Private("lease")} {
		etag, err := s.PutIf(t.Context(), n, []byte("mine"), store.IfAbsent)
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range []string{"mine", "yours"} {
			_, err = s.PutIf(t.Context(), n, []byte(data), store.IfAbsent)
			wantErr(t, err, store.ErrConflict)
		}
		if o := want(t, s, n, []byte("mine")); o.ETag != etag {
			t.Errorf("ETag %q, want %q", o.ETag, etag)
		}
		if err := s.Delete(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if _, err = s.PutIf(t.Context(), n, []byte("yours"), store.IfAbsent); err != nil {
			t.Errorf("after delete: %v", err)
		}
	}
}

func testIfAbsentRace(t *testing.T, s store.Store) {
	for i := range 5 {
		n := store.Private("lease", strconv.Itoa(i))
		w := race(t, s, n, store.IfAbsent)
		if len(w) != 1 {
			t.Fatalf("%q was written by %v, want one", n, w)
		}
		want(t, s, n, noise(2000, uint64(w[0])))
	}
}

func testIfMatch(t *testing.T, s store.Store) {
	n := store.Private("settings")
	_, err := s.PutIf(t.Context(), n, []byte("1"), store.IfMatch("no-such-etag"))
	wantErr(t, err, store.ErrConflict)
	first := put(t, s, n, []byte("1"))
	_, err = s.PutIf(t.Context(), n, []byte("2"), store.IfMatch(""))
	wantErr(t, err, store.ErrConflict)
	second, err := s.PutIf(t.Context(), n, []byte("2"), store.IfMatch(first))
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"1", "2", "3"} {
		_, err = s.PutIf(t.Context(), n, []byte(data), store.IfMatch(first))
		wantErr(t, err, store.ErrConflict)
	}
	if o := want(t, s, n, []byte("2")); o.ETag != second {
		t.Errorf("ETag %q, want %q", o.ETag, second)
	}
}

// testCounter: eight workers count in one object. Every success must be seen in
// the end; one lost update makes the number too small.
func testCounter(t *testing.T, s store.Store) {
	n := store.Private("counter")
	put(t, s, n, []byte("0"))
	var (
		wg        sync.WaitGroup
		successes atomic.Int64
	)
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if err := count(t.Context(), s, n); err == nil {
					successes.Add(1)
				} else if !errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	o, err := s.Get(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(o.Data); got != strconv.FormatInt(successes.Load(), 10) || successes.Load() == 0 {
		t.Errorf("%d successes, the counter says %s", successes.Load(), got)
	}
}

func count(ctx context.Context, s store.Store, n store.Name) error {
	o, err := s.Get(ctx, n)
	if err != nil {
		return err
	}
	v, err := strconv.Atoi(string(o.Data))
	if err != nil {
		return err
	}
	_, err = s.PutIf(ctx, n, []byte(strconv.Itoa(v+1)), store.IfMatch(o.ETag))
	return err
}

func testUpdate(t *testing.T, s store.Store) {
	n := store.Private("ledger")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 5 {
				_, err := store.Update(t.Context(), s, n, func(v *map[string]int) error {
					if *v == nil {
						*v = make(map[string]int)
					}
					(*v)[strconv.Itoa(i)]++
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want(t, s, n, []byte(`{"0":5,"1":5,"2":5,"3":5}`))
}
