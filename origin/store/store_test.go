package store_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"longwave/origin/store"
	"longwave/origin/store/memory"
	"longwave/origin/store/storetest"
	"longwave/packager"
)

// withName is a store that lists one name more, last.
type withName struct {
	store.Store
	name store.Name
}

func (s *withName) List(ctx context.Context, prefix string, after store.Name) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for info, err := range s.Store.List(ctx, prefix, after) {
			if !yield(info, err) {
				return
			}
		}
		yield(store.Info{Name: s.name, Size: 10}, nil)
	}
}

func TestName(t *testing.T) {
	tests := []struct {
		name      store.Name
		ok        bool
		private   bool
		immutable bool
		media     string
		cache     string
	}{
		{"talk/index.m3u8", true, false, false, "application/vnd.apple.mpegurl", packager.CacheMultivariant},
		{"talk/opus-48/live.m3u8", true, false, false, "application/vnd.apple.mpegurl", packager.CacheMedia},
		{"talk/opus-48/init-0a.mp4", true, false, true, "audio/mp4", packager.CacheForever},
		{"talk/opus-48/9.m4s", true, false, true, "audio/mp4", packager.CacheForever},
		{"talk/opus-48/9.5.m4s", true, false, true, "audio/mp4", packager.CachePart},
		{"talk/status.json", true, false, false, "application/json", packager.CacheState},
		{"_/settings.json", true, true, false, "application/json", packager.CacheNever},
		{"_/talk/broadcasts/2026-09-12.json", true, true, false, "application/json", packager.CacheNever},
		{"_/x/../y.json", false, true, false, "application/json", packager.CacheNever},
		{"robots.txt", false, false, false, "application/octet-stream", packager.CacheNever},
	}
	for _, tt := range tests {
		err := tt.name.Check()
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, store.ErrName) {
			t.Errorf("%q: Check returns %v", tt.name, err)
		}
		if got := tt.name.Private(); got != tt.private {
			t.Errorf("%q: private %v", tt.name, got)
		}
		if got := tt.name.Immutable(); got != tt.immutable {
			t.Errorf("%q: immutable %v", tt.name, got)
		}
		if got := tt.name.ContentType(); got != tt.media {
			t.Errorf("%q: content type %q, want %q", tt.name, got, tt.media)
		}
		if got := tt.name.CacheControl(); got != tt.cache {
			t.Errorf("%q: cache control %q, want %q", tt.name, got, tt.cache)
		}
	}
	if got := store.Private("talk", "revoked"); got != "_/talk/revoked.json" {
		t.Errorf("Private returns %q", got)
	}
}

// A name that passes is one thing to every store: no path trick, and no key that
// is also private.
func FuzzName(f *testing.F) {
	for _, n := range storetest.OddNames {
		f.Add(string(n))
	}
	for _, n := range []string{"talk/index.m3u8", "talk/a/1.m4s", "_/a/b.json", "_/talk/status.json"} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := store.Name(s)
		if n.Check() != nil {
			return
		}
		if strings.ContainsAny(s, "\\\x00 %") || strings.Contains(s, "..") || strings.Contains(s, "//") ||
			strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") || strings.ToLower(s) != s {
			t.Errorf("%q passes", s)
		}
		k, isKey := n.Key()
		if isKey == n.Private() {
			t.Errorf("%q: key %v, private %v", s, isKey, n.Private())
		}
		if isKey && store.NameOf(k) != n {
			t.Errorf("%q comes back as %q", s, store.NameOf(k))
		}
	})
}

func TestNameOfRefused(t *testing.T) {
	for _, k := range []packager.Key{
		{},
		{Station: "_", Kind: packager.State, Name: "settings"},
		{Station: "_", Kind: packager.State, Name: "talk/settings"},
		{Station: "talk", Rendition: "..", Kind: packager.Segment},
		{Station: "talk", Rendition: "a", Kind: packager.Segment, MSN: -1},
		{Station: "talk", Rendition: "a", Kind: packager.Segment, MSN: 1, Name: "x"}, // its string is of another key
	} {
		if err := store.NameOf(k).Check(); !errors.Is(err, store.ErrName) {
			t.Errorf("%+v is named %q: %v", k, store.NameOf(k), err)
		}
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		m := store.NewMetrics(reg)
		f := &storetest.Faulty{Store: new(memory.Store), Next: storetest.Sequence(
			storetest.Slow(150*time.Millisecond), storetest.Full, storetest.Refused, storetest.Lost, storetest.Hang, storetest.Hang)}
		s := m.Watch("disk", f)
		o := packager.Object{Key: packager.Key{Station: "talk", Rendition: "a", Kind: packager.Segment, MSN: 1}, Data: make([]byte, 700)}
		for range 4 {
			_ = s.Put(t.Context(), o) // slow, full, refused, error
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = s.Put(ctx, o) // timeout
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_ = s.Put(ctx, o)                                                               // left
		_, _ = s.PutIf(t.Context(), store.NameOf(o.Key), []byte("other"), store.Always) // conflict
		_, _ = s.Get(t.Context(), "talk/status.json")                                   // missing
		for range s.List(t.Context(), "", "") {
		}
		time.Sleep(time.Hour)
		r := store.NewRetain(s, store.RetainOptions{MaxAge: time.Minute, Label: "disk", Metrics: m})
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.Run(ctx); err != nil {
			t.Fatal(err)
		}
		want := `
			# HELP longwave_store_kept_bytes Bytes of all objects after the last look for what is old.
			# TYPE longwave_store_kept_bytes gauge
			longwave_store_kept_bytes{store="disk"} 0
			# HELP longwave_store_operations_total Reads, listings and deletions, by result.
			# TYPE longwave_store_operations_total counter
			longwave_store_operations_total{operation="delete",result="ok",store="disk"} 1
			longwave_store_operations_total{operation="get",result="missing",store="disk"} 1
			longwave_store_operations_total{operation="list",result="ok",store="disk"} 2
			# HELP longwave_store_put_bytes_total Bytes of objects that were kept.
			# TYPE longwave_store_put_bytes_total counter
			longwave_store_put_bytes_total{store="disk"} 700
			# HELP longwave_store_retained_deletions_bytes_total Bytes of these objects.
			# TYPE longwave_store_retained_deletions_bytes_total counter
			longwave_store_retained_deletions_bytes_total{kind="segment",store="disk"} 700
			# HELP longwave_store_retained_deletions_total Objects deleted because they were old or too many, by kind.
			# TYPE longwave_store_retained_deletions_total counter
			longwave_store_retained_deletions_total{kind="segment",store="disk"} 1
			# HELP longwave_store_sweeps_total Looks for what is old, by result.
			# TYPE longwave_store_sweeps_total counter
			longwave_store_sweeps_total{result="ok",store="disk"} 1
		`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "longwave_store_kept_bytes",
			"longwave_store_operations_total", "longwave_store_put_bytes_total", "longwave_store_retained_deletions_bytes_total",
			"longwave_store_retained_deletions_total", "longwave_store_sweeps_total"); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(wantPuts, puts(t, reg)); diff != "" {
			t.Errorf("put durations (-want +got):\n%s", diff)
		}
	})
}

type putFigure struct {
	Count   uint64
	Seconds float64
}

var wantPuts = map[string]putFigure{
	"ok": {1, 0.15}, "full": {1, 0}, "refused": {1, 0}, "error": {1, 0}, "timeout": {1, 1}, "left": {1, 1}, "conflict": {1, 0},
}

// puts returns the count and sum of the histogram by result.
func puts(t *testing.T, reg *prometheus.Registry) map[string]putFigure {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]putFigure)
	for _, f := range families {
		if f.GetName() != "longwave_store_put_duration_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "result" {
					h := m.GetHistogram()
					got[l.GetValue()] = putFigure{h.GetSampleCount(), h.GetSampleSum()}
				}
			}
		}
	}
	return got
}

func TestUpdate(t *testing.T) {
	s := new(memory.Store)
	n := store.Private("settings")
	if _, err := s.PutIf(t.Context(), n, []byte("{"), store.Always); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	_, err := store.Update(t.Context(), s, n, func(*int) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "not valid") {
		t.Errorf("broken JSON: %v", err)
	}
	if err := s.Delete(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if _, err = store.Update(t.Context(), s, n, func(*int) error { return no }); !errors.Is(err, no) {
		t.Errorf("change fails: %v", err)
	}
	if _, err := s.Get(t.Context(), n); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("written although change failed: %v", err)
	}
	// A store in which somebody else always comes first.
	never := &conflicting{s}
	if _, err := store.Update(t.Context(), never, n, func(*int) error { return nil }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("never succeeds: %v", err)
	}
}

type conflicting struct{ store.Store }

func (*conflicting) PutIf(context.Context, store.Name, []byte, store.Condition) (store.ETag, error) {
	return "", store.ErrConflict
}

func TestReport(t *testing.T) {
	r := store.Report{Store: "data folder /srv"}
	r.Add("write", store.Good, "%v", time.Millisecond)
	r.Add("room", store.Warning, "1.0 GB free: make room")
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	r.Add("read", store.Fatal, "other bytes")
	r.Add("delete", store.Fatal, "denied")
	if got, want := r.Err().Error(), "data folder /srv: read: other bytes; delete: denied"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want := `data folder /srv
  good  write: 1ms
  warn  room: 1.0 GB free: make room
  stop  read: other bytes
  stop  delete: denied`
	if diff := cmp.Diff(want, r.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
