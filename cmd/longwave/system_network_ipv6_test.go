package main_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/cmd/longwave/systemtest/netns"
	"longwave/packager/hls"
)

// A guest is somebody in a host of a network who opens addresses of the web.
type guest struct {
	*http.Client
	t *testing.T
}

func guestIn(t *testing.T, h *netns.Host) guest {
	by := &http.Transport{DialContext: h.Dial}
	t.Cleanup(by.CloseIdleConnections)
	return guest{&http.Client{Transport: by, Timeout: time.Minute}, t}
}

// open returns what is at an address, which may be said in relation to another.
func (g guest) open(base, ref string) (at string, body []byte) {
	g.t.Helper()
	u, err := url.Parse(base)
	if err == nil {
		u, err = u.Parse(ref)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	r, err := g.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err = io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusOK {
		g.t.Fatalf("%s: status %d, %v", u, r.StatusCode, err)
	}
	return u.String(), body
}

// hear returns the last segment of a station as a player finds it: by the address of the
// station alone and what is written there.
func (g guest) hear(station string) []float32 {
	g.t.Helper()
	at, text := g.open(station, "index.m3u8")
	variants, err := hls.ParseMultivariant(text)
	if err != nil {
		g.t.Fatal(err)
	}
	at, text = g.open(at, variants.Variants[0].URI)
	m := parseMedia(g.t, text)
	last := m.Segments[len(m.Segments)-1]
	_, head := g.open(at, last.Map.URI)
	_, media := g.open(at, last.URI)
	return systemtest.Decode(g.t, "aac-96", head, media)
}

// encoderIn lets ffmpeg send a tone from a host to an address until the test ends.
func encoderIn(t *testing.T, h *netns.Host, hz int, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	tone := fmt.Sprintf("sine=frequency=%d:sample_rate=48000:duration=120", hz)
	cmd := h.Command(ctx, "ffmpeg", append([]string{"-hide_banner", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", tone, "-ac", "2"}, args...)...)
	var trouble strings.Builder
	cmd.Stderr = &trouble
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if _ = cmd.Wait(); t.Failed() {
			t.Logf("ffmpeg %q: %s", args, trouble.String())
		}
	})
}

// TestNetworkIPv6: where there is nothing but IPv6, encoders by RTMP, SRT and Icecast
// send to the addresses that their links tell, brackets and all, and a listener who is
// told the station's address hears all three.
func TestNetworkIPv6(t *testing.T) {
	t.Parallel()
	const addr = "fd09:6::1"
	net := netns.New(t)
	server, studio := net.Host("server"), net.Host("studio")
	net.Connect(server, studio, []string{addr + "/64"}, []string{"fd09:6::2/64"})
	n, at := nodeIn(t, server, "["+addr+"]", systemtest.Options{Config: quietHold(t, "talk") + "log: {level: debug}\nrtc: {listen: off}\n"})
	d := hostDesk(n, "talk")
	aac := []string{"-c:a", "aac", "-b:a", "128k", "-f"}
	var tones []int
	for i, way := range []struct {
		by, want string // of its address, around the token
		args     []string
	}{
		{"rtmp", "rtmp://[" + addr + "]/live/TOKEN", append(aac[:5:5], "flv")},
		{"srt", "srt://[" + addr + "]:8890?streamid=TOKEN", append(aac[:5:5], "mpegts")},
		{"icecast", strings.Replace(at, "http://", "icecast://source:TOKEN@", 1) + "/ice/talk", []string{"-c:a", "libopus", "-content_type", "audio/ogg", "-f", "ogg"}},
	} {
		l := d.link(way.by)
		to := l.Push[way.by]
		if got := strings.Replace(to, l.Token, "TOKEN", 1); got != way.want {
			t.Errorf("%s: the link says %s, want %s", way.by, got, way.want)
		}
		tones = append(tones, []int{annaHz, bertHz, carlHz}[i])
		encoderIn(t, studio, tones[i], append(way.args, to)...)
	}
	for _, by := range []string{"rtmp", "srt", "icecast"} {
		n.Await(by+" to come in", func() bool { return d.seat(by).Connected })
		d.change(by, map[string]any{"on_air": true})
	}
	g := guestIn(t, studio)
	var heard []float64
	n.Await("a listener to hear all three", func() bool {
		heard = levels(g.hear(at+"/talk/"), tones...)
		return min(heard[0], heard[1], heard[2]) > heardDB
	})
	t.Logf("heard at %.0f dB", heard)
	for _, s := range d.look().Speakers {
		if !s.Connected || !s.OnAir || s.Transport != s.Name {
			t.Errorf("%+v", s)
		}
	}
	n.Stop()
}
