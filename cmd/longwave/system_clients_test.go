package main_test

import (
	"fmt"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/icecast/icecasttest"
)

// TestBroadcasters: what real broadcasters' software sends for 30 s to a station of
// its own is what the station's store holds: the tone, all of it, once, without a
// jump. They send side by side, as their sound takes its time anyway.
func TestBroadcasters(t *testing.T) {
	const length = 30 * time.Second
	clients := []struct{ client, codec string }{ // who takes long to start goes first
		{icecasttest.Liquidsoap, icecasttest.Opus},
		{icecasttest.Liquidsoap, icecasttest.MP3},
		{icecasttest.Liquidsoap, icecasttest.FLAC},
		{icecasttest.FFmpeg, icecasttest.Opus},
		{icecasttest.FFmpeg, icecasttest.MP3},
		{icecasttest.FFmpeg, icecasttest.AAC},
		{icecasttest.FFmpeg, icecasttest.Vorbis},
		{icecasttest.FFmpeg, icecasttest.FLAC},
		{icecasttest.FFmpegLegacy, icecasttest.MP3},
		{icecasttest.Ezstream, icecasttest.Opus},
		{icecasttest.Ezstream, icecasttest.MP3},
		{icecasttest.Ezstream, icecasttest.Vorbis},
		{icecasttest.Ezstream, icecasttest.FLAC},
	}
	var stations []string
	for i := range clients {
		stations = append(stations, fmt.Sprintf("s%d", i))
	}
	n := systemtest.Start(t, systemtest.Options{Config: quietHold(t, stations...)})
	awaitReady(n)
	file := toneFile(t, length)
	tones := make([]*pushed, len(clients))
	for i, c := range clients {
		tones[i] = push(t, icecasttest.Source{
			Client: c.client, Codec: c.codec, URL: n.URL + "/ice/" + stations[i],
			Token: n.Token(stations[i], "--name", c.client), File: file, Duration: length,
		})
	}
	windows := make([]window, len(clients))
	for i := range clients {
		from, to := tones[i].wait()
		windows[i] = window{from, to, length}
	}
	n.Await("every lane to be played out", func() bool { return n.Count("lane closed", "transport=icecast") == len(clients) })
	n.Stop()
	for i, c := range clients {
		t.Run(c.client+" "+c.codec, func(t *testing.T) {
			judgeTone(t, n, stations[i], "aac-96", windows[i])
		})
	}
}
