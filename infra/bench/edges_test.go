package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"longwave/packager"
)

// TestLines: a listener fetches what a playlist names on the second connection, and asks
// for the next playlist on the first one at once; parts that were named meanwhile come
// one after the other.
func TestLines(t *testing.T) {
	p, err := packager.ParseProfile("low")
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{order: order{Server: "host", Renditions: []string{"opus-24", "opus-96"}}, profile: p, buf: make([]byte, 1<<16), arrivals: map[arrival][]time.Time{}, keep: true, lines: make([]line, 3)}
	const first = 6*1000 + 4
	playlists, parts := pair(t, &c.lines[1]), pair(t, &c.lines[2])
	c.lines[1] = line{fd: c.lines[1].fd, asks: forPlaylist, rendition: 1, next: first, parts: 2}
	c.lines[2] = line{fd: c.lines[2].fd, asks: forPart, rendition: 1}
	answer := func(l, peer int) {
		t.Helper()
		if _, err := unix.Write(peer, []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")); err != nil {
			t.Fatal(err)
		}
		if err := c.read(&c.lines[l]); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	if err := c.ask(&c.lines[1]); err != nil {
		t.Fatal(err)
	}
	got = append(got, asked(t, playlists))
	answer(1, playlists)
	got = append(got, asked(t, playlists), asked(t, parts))
	answer(1, playlists) // before the part
	got = append(got, asked(t, playlists))
	answer(2, parts)
	got = append(got, asked(t, parts))
	answer(2, parts) // none is named that it does not have
	want := []string{
		"/talk/opus-96/live.m3u8?_HLS_msn=1000&_HLS_part=4&_HLS_skip=YES",
		"/talk/opus-96/live.m3u8?_HLS_msn=1000&_HLS_part=5&_HLS_skip=YES",
		"/talk/opus-96/1000.4.m4s",
		"/talk/opus-96/live.m3u8?_HLS_msn=1001&_HLS_part=0&_HLS_skip=YES",
		"/talk/opus-96/1000.5.m4s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if c.lines[2].asked || c.audience.Answers != 4 || len(c.arrivals[arrival{forPart, 1, first + 1}]) != 1 {
		t.Errorf("%d answers, arrivals %v", c.audience.Answers, c.arrivals)
	}
}

// pair connects a line and returns its other end.
func pair(t *testing.T, l *line) int {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.Close(fds[0]), unix.Close(fds[1]) })
	l.fd = fds[0]
	return fds[1]
}

// asked returns the target of the request that is there.
func asked(t *testing.T, fd int) string {
	t.Helper()
	buf := make([]byte, 1<<12)
	n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
	if err != nil {
		t.Fatalf("no request: %v", err)
	}
	f := strings.Fields(string(buf[:n]))
	if len(f) < 2 || strings.Count(string(buf[:n]), "GET ") != 1 {
		t.Fatalf("not one request: %q", buf[:n])
	}
	return f[1]
}

// TestWaits: waits begin with the first answer, wherever it was given.
func TestWaits(t *testing.T) {
	at := func(ms ...int) (times []time.Time) {
		for _, v := range ms {
			times = append(times, time.Unix(1_800_000_000, 0).Add(time.Duration(v)*time.Millisecond))
		}
		return times
	}
	p, err := packager.ParseProfile("low")
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{order: order{Renditions: []string{"a", "b"}, Waves: 2}, profile: p, arrivals: map[arrival][]time.Time{
		{forWitness, 0, 10}:  at(100),
		{forPlaylist, 0, 10}: at(104, 102),
		{forPart, 0, 10}:     at(110, 106),
		{forWitness, 1, 10}:  at(207), // the edge was before it
		{forPlaylist, 1, 10}: at(205, 225),
		{forWitness, 0, 11}:  at(400),
		{forPart, 0, 12}:     at(1),
	}}
	c.sum(10)
	if want := (wait{P50: 2, P99: 20, Most: 20, Count: 4, Worst: 20, Typical: 4}); c.audience.Reload != want {
		t.Errorf("playlists %+v, want %+v", c.audience.Reload, want)
	}
	if want := (wait{P50: 6, P99: 10, Most: 10, Count: 2, Worst: 10, Typical: 10}); c.audience.Part != want {
		t.Errorf("parts %+v, want %+v", c.audience.Part, want)
	}
	if c.audience.Witnesses != 3 {
		t.Errorf("%d witnesses, want 3", c.audience.Witnesses)
	}
}

// TestSettled: a listener is back from where it stays.
func TestSettled(t *testing.T) {
	at := func(seconds ...int) (times []time.Time) {
		for _, s := range seconds {
			times = append(times, time.Unix(int64(s), 0))
		}
		return times
	}
	for name, tt := range map[string]struct {
		at   []time.Time
		want int64 // 0: not
	}{
		"never":            {nil, 0},
		"gone again":       {at(10, 11, 12), 0},
		"back":             {at(40, 42, 45, 47, 50), 40},
		"back after a try": {at(10, 11, 42, 45, 47, 50), 42},
	} {
		got, ok := settled(tt.at, time.Unix(52, 0))
		if ok != (tt.want != 0) || ok && got.Unix() != tt.want {
			t.Errorf("%s: %v, %v, want %d", name, got.Unix(), ok, tt.want)
		}
	}
}

// TestStand: what gives up ends there, with everything put off done, the last first, and
// its complaint is the error.
func TestStand(t *testing.T) {
	b := &bench{tmp: t.TempDir()}
	var did []string
	err := b.onStand(t.Context(), func(tb testing.TB) error {
		tb.Cleanup(func() { did = append(did, fmt.Sprint("first: ", tb.Context().Err())) })
		tb.Cleanup(func() { tb.Fatal("cannot end") })
		tb.Cleanup(func() { did = append(did, "last") })
		tb.Errorf("in %s", strings.TrimPrefix(tb.TempDir(), b.tmp)[:6])
		tb.Fatalf("cannot %s", "begin")
		return errors.New("was not given up")
	})
	if err == nil || err.Error() != "in /stand\ncannot begin\ncannot end" {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"last", "first: context canceled"}, did); diff != "" {
		t.Error(diff)
	}
	broken := errors.New("broken")
	if err := b.onStand(t.Context(), func(testing.TB) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}
