package steer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"longwave/packager"
	"longwave/packager/cmaf"
	"longwave/packager/hls"
)

// Sent is what this node gave to listeners: the live window.
type Sent interface {
	// Playlist returns the newest media playlist of a rendition, which never changes, or
	// nil when there is none; and whether its live edge has come to a stand.
	Playlist(station, rendition string) (m *hls.Media, stands bool)
	// Object returns the bytes of an object that is in the live window.
	Object(k packager.Key) ([]byte, bool)
}

// How far a playlist may be behind ours. One with parts is a second old in a cache and
// a part behind; a plain one grows by a segment at a time, after that was put into the
// store. What is more than one and a half target durations behind that is dead.
const (
	behindLive  = 3 * packager.TargetDuration / 2
	behindPlain = behindLive + 2*packager.TargetDuration
)

// A prober looks at one pathway of one station as a listener does. One goroutine uses it.
type prober struct {
	station string
	way     Pathway
	targets []string // renditions, the lowest first, and "" for the multivariant playlist
	sent    Sent
	limit   time.Duration // for an answer
	client  *http.Client
	looks   int
	other   int    // of targets: the last one that was looked at besides the lowest
	again   string // what was bad, to be looked at again
	bad     bool
}

func newProber(o Options, way Pathway) *prober {
	transport := o.Transport
	if transport == nil {
		transport = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	}
	return &prober{
		station: o.Station, way: way, targets: append(slices.Clone(o.Renditions), ""), sent: o.Sent, limit: o.Limit,
		client: &http.Client{Transport: transport},
	}
}

// freshEvery is how many probes use a connection: one that is open says nothing about
// whether listeners can still open one.
const freshEvery = 3

// probe looks once. Every second time at the lowest rendition, which is where listeners
// in need are, else at the next of the others; what was bad is looked at until it is not.
func (p *prober) probe(ctx context.Context) Probe {
	if p.looks++; p.looks%freshEvery == 0 {
		p.client.CloseIdleConnections()
	}
	target := p.targets[0]
	switch {
	case p.bad:
		target = p.again
	case p.looks%2 == 0:
		p.other = p.other%(len(p.targets)-1) + 1
		target = p.targets[p.other]
	}
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	out := Probe{At: time.Now()}
	err := p.look(ctx, target, &out)
	if fault, ok := errors.AsType[faultError](err); ok {
		out.Fault, out.Text = fault.fault, fault.text
	}
	p.bad, p.again = err != nil, target
	return out
}

func (p *prober) look(ctx context.Context, target string, out *Probe) error {
	base := p.way.URL + "/" + p.station + "/"
	if target == "" {
		text, err := p.get(ctx, base+packager.EverybodyList+".m3u8", out)
		if err != nil {
			return err
		}
		return readable(hls.ParseMultivariant(text))(text)
	}
	at := base + target + "/live.m3u8"
	text, err := p.get(ctx, at, out)
	if err != nil {
		return err
	}
	m, err := hls.ParseMedia(text)
	if err := readable(m, err)(text); err != nil {
		return err
	}
	if err := p.judgeAge(target, m, out); err != nil {
		return err
	}
	return p.lookAtMedia(ctx, at, target, newest(m))
}

// judgeAge compares a playlist with ours.
func (p *prober) judgeAge(rendition string, m *hls.Media, out *Probe) error {
	ours, _ := p.sent.Playlist(p.station, rendition)
	if ours == nil {
		return nil
	}
	most := behindLive
	if p.way.Plain {
		most = behindPlain
	}
	if out.Behind = max(0, end(ours).Sub(end(m))); out.Behind > most {
		return faultError{Stale, fmt.Sprintf("the playlist of %s is %.1f s behind ours", rendition, out.Behind.Seconds())}
	}
	return nil
}

// lookAtMedia fetches what a playlist named last.
func (p *prober) lookAtMedia(ctx context.Context, playlist, rendition, file string) error {
	if file == "" {
		return nil
	}
	ref, err := url.Parse(file)
	if err != nil {
		return faultError{Wrong, "the playlist names " + file}
	}
	base, err := url.Parse(playlist)
	if err != nil {
		return faultError{Wrong, err.Error()}
	}
	data, err := p.get(ctx, base.ResolveReference(ref).String(), nil)
	if err != nil {
		return err
	}
	name := rendition + "/" + file
	if !cmaf.IsMedia(data) {
		return faultError{Wrong, name + " is not media: " + beginning(data)}
	}
	if tag, ok := cmaf.TagOf(data); ok && tag != cmaf.StationTag(p.station) {
		return faultError{Wrong, name + " is another station's"}
	}
	if !p.way.Own {
		return nil
	}
	if key, err := packager.ParseKey(p.station + "/" + name); err == nil {
		if sent, ok := p.sent.Object(key); ok && !bytes.Equal(sent, data) {
			return faultError{Wrong, name + " has other bytes than were sent"}
		}
	}
	return nil
}

// newest returns the URI of what was added to m last; empty when there is nothing.
func newest(m *hls.Media) string {
	if n := len(m.Open.Parts); n > 0 {
		return m.Open.Parts[n-1].URI
	}
	if len(m.Segments) == 0 {
		return ""
	}
	last := m.Segments[len(m.Segments)-1]
	if n := len(last.Parts); n > 0 {
		return last.Parts[n-1].URI
	}
	return last.URI
}

// end returns the moment at which the sound of m ends; zero when it does not say.
func end(m *hls.Media) time.Time {
	t := m.Open.PDT
	for _, s := range m.Segments {
		if !s.PDT.IsZero() {
			t = s.PDT
		}
		t = t.Add(s.Duration)
	}
	for _, part := range m.Open.Parts {
		t = t.Add(part.Duration)
	}
	return t
}

// readable returns a function that says what an answer is when it could not be parsed.
func readable[T any](_ T, err error) func([]byte) error {
	return func(text []byte) error {
		if err == nil {
			return nil
		}
		if bytes.HasPrefix(text, []byte("#EXTM3U")) {
			return faultError{Wrong, "a playlist that cannot be read: " + err.Error()}
		}
		return faultError{Wrong, "not a playlist: " + beginning(text)}
	}
}

// beginning shows how an answer begins, on one line.
func beginning(b []byte) string {
	const most = 40
	if len(b) == 0 {
		return "it is empty"
	}
	return fmt.Sprintf("it begins with %q", b[:min(most, len(b))])
}

// A faultError is what is wrong with an answer.
type faultError struct {
	fault Fault
	text  string
}

func (e faultError) Error() string { return string(e.fault) + ": " + e.text }
