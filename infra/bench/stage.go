package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path"
	"strings"
	"sync"
	"time"

	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/ingest/whip/whiptest"
)

// A stage is a node and the speakers that this process sends to it by WHIP.
type stage struct {
	*node
	b        *bench
	host     string // token
	speaking sync.WaitGroup
	hush     context.CancelFunc
}

// openStage starts a node and waits for it. Speakers end when ctx does or the stage
// is closed.
func (b *bench) openStage(ctx context.Context, o nodeOptions) (context.Context, *stage, error) {
	n, err := b.serve(ctx, o)
	if err != nil {
		return ctx, nil, err
	}
	s := &stage{node: n, b: b}
	ctx, s.hush = context.WithCancel(ctx)
	if err = n.ready(ctx); err == nil {
		s.host, err = b.token(ctx, n, "host", "Host")
	}
	if err != nil {
		s.close()
		return ctx, nil, err
	}
	return ctx, s, nil
}

func (s *stage) close() {
	s.hush()
	s.speaking.Wait()
	s.stop()
}

// enter lets a speaker come and speak, and returns their token.
func (s *stage) enter(ctx context.Context, name string, v whiptest.Voice, o whiptest.Options) (string, error) {
	token, err := s.b.token(ctx, s.node, "speaker", name)
	if err != nil {
		return "", err
	}
	speaker, err := whiptest.Dial(ctx, s.base+"/whip/"+station, token, v, o)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	select {
	case <-speaker.Connected():
	case <-time.After(10 * time.Second):
		return "", errors.Join(fmt.Errorf("%s is not connected after 10 s", name), speaker.Vanish())
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), speaker.Vanish())
	}
	s.speaking.Go(func() {
		if err := speaker.Run(ctx); err != nil && ctx.Err() == nil {
			s.b.say("%s cannot speak on: %v", name, err)
		}
		_ = speaker.Vanish() // the node ends as well
	})
	return token, nil
}

// hear connects a listener to the return of a token's holder.
func (s *stage) hear(ctx context.Context, token string) (*whiptest.Listener, error) {
	return whiptest.Listen(ctx, s.base+"/whep/"+station, token, whiptest.Options{})
}

// onAir takes all on air, as soon as so many are there.
func (s *stage) onAir(ctx context.Context, many int) error {
	address := s.base + "/api/v1/stations/" + station + "/speakers"
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		var list struct {
			Speakers []struct {
				Seat      string `json:"seat"`
				Connected bool   `json:"connected"`
			} `json:"speakers"`
		}
		if err := s.ask(ctx, http.MethodGet, address, "", &list); err != nil {
			return err
		}
		if len(list.Speakers) < many {
			if err := pause(ctx, 100*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		for _, seat := range list.Speakers {
			if err := s.ask(ctx, http.MethodPatch, address+"/"+seat.Seat, `{"on_air":true}`, &struct{}{}); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("fewer than %d speakers came", many)
}

// ask makes a request of the host's.
func (s *stage) ask(ctx context.Context, method, address, body string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.host)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, address, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, address, resp.Status, text)
	}
	return json.Unmarshal(text, answer)
}

// A recording is what listeners got of a rendition, decoded to 48 kHz stereo.
type recording struct {
	start   time.Time // of the first sample, by PROGRAM-DATE-TIME
	samples []float32
}

// span returns what was heard from one moment to another.
func (r recording) span(from, to time.Time) []float32 {
	at := func(t time.Time) int {
		return min(max(0, pcm.Channels*int(pcm.Samples(t.Sub(r.start)))), len(r.samples))
	}
	return r.samples[at(from):at(to)]
}

// recorded is the rendition that is judged.
const recorded = "aac-96"

// record fetches the segments from a moment on until another, which it waits for, and
// decodes them with ffmpeg.
func (n *node) record(ctx context.Context, from, to time.Time) (recording, error) {
	var r recording
	const late = 3 * time.Second // at most, until a segment is there
	if err := pause(ctx, time.Until(to)+late); err != nil {
		return r, err
	}
	m, err := n.playlist(ctx, recorded+"/live.m3u8")
	if err != nil {
		return r, err
	}
	var file []byte
	for _, s := range m.Segments {
		if !s.PDT.Add(s.Duration).After(from) || s.PDT.After(to) {
			continue
		}
		uris := []string{s.URI}
		if file == nil {
			r.start, uris = s.PDT, []string{s.Map.URI, s.URI}
		}
		for _, uri := range uris {
			data, err := get(ctx, n.url(path.Join(recorded, uri)))
			if err != nil {
				return r, err
			}
			file = append(file, data...)
		}
	}
	if r.start.IsZero() || r.start.After(from) {
		return r, fmt.Errorf("%s has nothing of %s", recorded, from.Format(time.TimeOnly))
	}
	cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-f", "mp4", "-i", "pipe:0", "-f", "f32le", "-ar", "48000", "-ac", "2", "pipe:1")
	cmd.Stdin = bytes.NewReader(file)
	raw, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("decode %s: %w", recorded, withOutput(err))
	}
	r.samples = pcmtest.Samples(raw)
	return r, nil
}
