package main_test

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/icecast/icecasttest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// TestTitles: the titles of the links of a chained Ogg, and one that is set by an
// update, stand in the playlist as their sound is heard; the chain has no hole.
func TestTitles(t *testing.T) {
	t.Parallel()
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: quietHold(t, "talk")})
	awaitReady(n)
	from := now()
	token := n.Token("talk")
	const link = 4 * time.Second // whole turns of the tone
	part := func(title string) []byte {
		return decodetest.Encode(t, link, "-ac", "2", "-c:a", "libopus", "-b:a", "96k", "-metadata", "title="+title, "-f", "ogg")
	}
	first, second := part("First link"), part("Zweites Glied: Ü")
	c, err := net.Dial("tcp", n.URL[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	head := "PUT /ice/talk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nExpect: 100-continue\r\n\r\n"
	if _, err := c.Write(slices.Concat([]byte(head), first, second[:len(second)/2])); err != nil {
		t.Fatal(err)
	}
	n.Await("the first title", func() bool { return slices.Contains(titles(t, n), "First link") })
	update := n.URL + "/admin/metadata?mode=updinfo&mount=/ice/talk&song=" + url.QueryEscape("By hand <&>")
	if status := get(t, update, n.Secret("canary-of-a-token")); status != http.StatusUnauthorized {
		t.Errorf("an update with a wrong token: status %d, want 401", status)
	}
	if status := get(t, update, token); status != http.StatusOK {
		t.Errorf("an update: status %d, want 200", status)
	}
	// What was sent before the update is heard before it is told.
	if _, err := c.Write(second[len(second)/2:]); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	want := []string{"First link", "Zweites Glied: Ü", "By hand <&>"}
	var got []string
	defer func() { t.Logf("titles %q", got) }()
	n.Await("all titles", func() bool { got = titles(t, n); return slices.Equal(got, want) })
	n.AwaitLog("lane closed")
	n.Stop()
	judgeTone(t, n, "talk", "aac-96", window{from, now() + 3, 2 * link})
}

// titles returns the titles that the live playlist tells of, oldest first.
func titles(t *testing.T, n *systemtest.Node) []string {
	t.Helper()
	r, err := systemtest.Fetch(t.Context(), n.URL+"/talk/aac-96/live.m3u8")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, d := range parseMedia(t, r.Body).DateRanges {
		for _, a := range d.Attrs {
			if a.Name == "X-TITLE" {
				all = append(all, a.Value)
			}
		}
	}
	return all
}

// get asks for url with a token, as broadcasters' clients show it.
func get(t *testing.T, url, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("source", token)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	return r.StatusCode
}

// TestTakeover: who connects again with the same token has the seat at once, though
// the old connection is still open and still sends, and nothing is missing between.
func TestTakeover(t *testing.T) {
	t.Parallel()
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: quietHold(t, "talk")})
	awaitReady(n)
	token := n.Token("talk", "--name", "Jo")
	from := now()
	const length = 8 * time.Second
	second := filepath.Join(t.TempDir(), "second.wav")
	if err := os.WriteFile(second, pcmtest.WAV(pcmtest.Tone{Hz: 700, Amp: 0.125}.Make(int(pcm.Samples(length)))), 0o600); err != nil {
		t.Fatal(err)
	}
	source := icecasttest.Source{
		Client: icecasttest.FFmpeg, Codec: icecasttest.MP3, URL: n.URL + "/ice/talk", Token: token,
		File: toneFile(t, time.Minute), Duration: time.Minute,
	}
	old := push(t, source)
	n.AwaitLog("on air", "state=live")
	source.File, source.Duration = second, length
	fresh := push(t, source)
	n.AwaitLog("seat taken over", "speaker=Jo")
	if err := <-old.err; err == nil {
		t.Error("the old connection was not closed")
	}
	if err := <-fresh.err; err != nil {
		t.Error(err)
	}
	n.Await("both lanes to be played out", func() bool { return n.Count("lane closed", "speaker=Jo") == 2 })
	n.Stop()
	x := n.Stored("talk", "aac-96", from, n.Last("talk", "aac-96")+1).Decode(t)
	const crossfade = pcm.Rate / 5
	gaps := pcmtest.Gaps(x, 0.03, crossfade) // the hold is 30 dB under the tones
	if len(gaps) != 2 || gaps[0].At != 0 || gaps[1].At+gaps[1].Len != len(x)/pcm.Channels {
		t.Errorf("without a speaker: %+v of %d samples; want only before the first and after the last", gaps, len(x)/pcm.Channels)
	}
}
