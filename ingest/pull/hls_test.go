package pull_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"longwave/ingest/decode"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/pcm"
)

// hls makes a playlist of the tone with ffmpeg and returns a server of its folder.
func hls(t *testing.T, length time.Duration, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	source := fmt.Sprintf("sine=frequency=%v:sample_rate=%d:duration=%f", decodetest.Hz, pcm.Rate, length.Seconds())
	all := append([]string{"-v", "error", "-nostdin", "-f", "lavfi", "-i", source}, args...)
	cmd := exec.CommandContext(t.Context(), "ffmpeg", all...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "live.m3u8")); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(srv.Close)
	return srv.URL + "/"
}

// TestHLS plays what ffmpeg makes, to the end.
func TestHLS(t *testing.T) {
	const length = 3 * time.Second
	vod := []string{"-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod", "live.m3u8"}
	mp4 := append([]string{"-hls_segment_type", "fmp4"}, vod...)
	for _, c := range []struct {
		name  string
		args  []string
		codec decode.Codec
	}{
		{"AAC in TS", append([]string{"-c:a", "aac", "-ac", "2", "-b:a", "96k"}, vod...), decode.ADTS},
		{"MP3 in TS", append([]string{"-c:a", "libmp3lame", "-ac", "2", "-b:a", "128k"}, vod...), decode.MP3},
		{"AAC in fMP4", append([]string{"-c:a", "aac", "-ac", "2", "-b:a", "96k"}, mp4...), decode.ADTS},
		{"AAC 44.1 kHz", append([]string{"-c:a", "aac", "-ar", "44100", "-ac", "2", "-b:a", "96k"}, mp4...), decode.ADTS},
		{"Opus in fMP4", append([]string{"-c:a", "libopus", "-ac", "2", "-b:a", "96k", "-strict", "-2"}, mp4...), decode.Opus},
		{"one file, byte ranges", append([]string{"-c:a", "aac", "-ac", "2", "-b:a", "96k", "-hls_flags", "single_file"}, mp4...), decode.ADTS},
		{"packed AAC", []string{"-c:a", "aac", "-ac", "2", "-b:a", "96k", "-f", "segment", "-segment_time", "1", "-segment_format", "adts", "-segment_list", "live.m3u8", "-segment_list_type", "m3u8", "s%d.aac"}, decode.ADTS},
		{"variants with pictures", append([]string{
			"-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=3", "-map", "0:a", "-map", "1:v", "-c:v", "libx264", "-g", "25", "-c:a", "aac", "-ac", "2", "-b:a", "96k",
			"-master_pl_name", "index.m3u8",
		}, vod...), decode.ADTS},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := hls(t, length, c.args...)
			name := "live.m3u8"
			if strings.HasPrefix(c.name, "variants") {
				name = "index.m3u8"
			}
			d, err := fetch(t, base+name, -1)
			if err != nil {
				t.Fatal(err)
			}
			if len(d.paths) != 1 || d.paths[0].format.Codec != c.codec {
				t.Fatalf("%d lanes, %v", len(d.paths), d.paths[0].format)
			}
			const onset = pcm.Rate / 10 // where the encoder has not settled
			decodetest.Check(t, d.paths[0].samples[onset*pcm.Channels:], int(pcm.Samples(length))-onset, 4000, -25)
		})
	}
}

// TestLiveHLS follows a playlist that ffmpeg writes as time passes, from before there is
// one.
func TestLiveHLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer srv.Close()
	start(t, dir, "ffmpeg", "-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=%v:sample_rate=%d", decodetest.Hz, pcm.Rate),
		"-c:a", "aac", "-ac", "2", "-b:a", "96k", "-f", "hls", "-hls_time", "1", "-hls_list_size", "6", "-hls_flags", "delete_segments", "live.m3u8")
	p := until(t, srv.URL+"/live.m3u8", 8)
	const onset = pcm.Rate / 10
	decodetest.Check(t, p.samples[onset*pcm.Channels:], 8*pcm.Rate-onset, pcm.Rate, -25)
}
