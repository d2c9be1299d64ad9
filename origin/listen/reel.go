package listen

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// A reel gets the segments of a rendition and judges their bytes.
type reel struct {
	r     *rendition
	jobs  chan job
	track *hlstest.Track
	init  hls.Map // of track
	rate  rate
	sound *sound
	count int
	fails int // segments that could not be got

	segments, parts keepsakes
}

// maxJobs is how many segments may wait to be judged.
const maxJobs = 16

// A job is a complete segment.
type job struct {
	msn    int64
	s      hls.Segment
	parts  [][]byte // nil when they are not all at hand
	begin  time.Duration
	target time.Duration
	anew   bool // it does not follow the one before
}

// run judges segments until there are no more.
func (l *reel) run(ctx context.Context) {
	if l.r.s.opt.Decode {
		l.sound = &sound{}
		defer l.sound.close()
	}
	for j := range l.jobs {
		if ctx.Err() != nil {
			return
		}
		l.segment(ctx, j)
	}
}

func (l *reel) segment(ctx context.Context, j job) {
	if j.anew {
		l.restart()
	}
	if j.s.Map != l.init && j.s.Map.URI != "" {
		l.open(ctx, j.s.Map)
	}
	l.r.foreign.Store(j.s.Map.URI == "")
	a, err := l.r.fetchMedia(ctx, classSegment, file{j.s.URI, j.s.ByteRange})
	if ctx.Err() != nil {
		return
	}
	if err != nil || !a.ok() {
		l.fails++
		l.restart()
		return
	}
	l.count++
	l.r.s.segments.Add(1)
	l.r.s.first(&l.r.s.firstMedia, a.done)
	l.r.player.add(a.done, j.begin, j.begin+j.s.Duration)
	l.rate.add(len(a.body), j.s.Duration, j.target)
	l.segments.add(j.msn, file{j.s.URI, j.s.ByteRange}, a.body)
	if n := len(j.parts); n > 0 {
		l.parts.add(j.msn, file{j.s.Parts[n-1].URI, j.s.Parts[n-1].ByteRange}, j.parts[n-1])
	}
	switch {
	case l.track != nil:
		l.r.found(l.track.Segment(j.s, a.body, j.parts)...)
		if l.sound != nil {
			l.sound.write(ctx, a.body)
		}
	case j.s.Map.URI == "":
		l.r.found(broken("format-unknown", "%s is %s", j.s.URI, format(a.body)))
	}
}

// restart says that the next segment does not follow the last one.
func (l *reel) restart() {
	l.rate.restart()
	if l.track != nil {
		l.track.Restart()
	}
}

// open gets an init segment.
func (l *reel) open(ctx context.Context, m hls.Map) {
	l.track = nil
	a, err := l.r.fetchMedia(ctx, classInit, file{m.URI, m.ByteRange})
	if err != nil || !a.ok() {
		return
	}
	track, found := hlstest.NewTrack(a.body)
	l.r.found(found...)
	l.track, l.init = track, m
	if l.sound != nil {
		l.sound.open(ctx, a.body)
	}
}

// format says what a segment seems to be.
func format(b []byte) string {
	switch {
	case len(b) > 188 && b[0] == 0x47 && b[188] == 0x47:
		return "MPEG-TS"
	case len(b) > 3 && string(b[:3]) == "ID3", len(b) > 2 && b[0] == 0xFF && b[1]&0xE0 == 0xE0:
		return "packed audio (ADTS or MP3)"
	case len(b) > 8 && (string(b[4:8]) == "styp" || string(b[4:8]) == "moof"):
		return "fragmented MP4, but no EXT-X-MAP says with which codec"
	}
	return "of a format unknown here"
}

// outcome says how a request ended.
func outcome(a *answer, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
}
