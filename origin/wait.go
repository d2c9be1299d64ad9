package origin

import (
	"context"
	"errors"

	"longwave/packager"
	"longwave/packager/hls"
)

// maxHold bounds a wait after the last thing that happened: three target durations
// (rfc8216bis section 6.2.5.2).
const maxHold = 3 * packager.TargetDuration

// errGone is returned to a request that waited for something that did not come.
var errGone = errors.New("nothing came")

// waitPlaylist returns the first snapshot that answers d, errGone when none comes in
// time, or the cause of ctx's end when the listener has gone.
func (l *line) waitPlaylist(ctx context.Context, d hls.Directives) (*snapshot, error) {
	s := l.edge.Load()
	for s != nil && !s.media.Contains(d.At) {
		if err := s.wait(ctx); err != nil {
			return nil, err
		}
		s = l.edge.Load()
	}
	if s == nil { // it was removed
		return nil, errGone
	}
	return s, nil
}

// waitFile returns a file that the newest playlist hints at as soon as it exists.
func (l *line) waitFile(ctx context.Context, name string) (*file, error) {
	for {
		s := l.edge.Load()
		if f := l.file(name); f != nil {
			return f, nil
		}
		if s == nil || s.hint != name {
			return nil, errGone
		}
		if err := s.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// wait returns when there is a snapshot after s.
func (s *snapshot) wait(ctx context.Context) error {
	if s.stands {
		return errGone
	}
	select {
	case <-s.next:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
