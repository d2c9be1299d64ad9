package ffmpeg

import "time"

const (
	maxRestarts   = 5
	restartWindow = time.Minute
	firstDelay    = 200 * time.Millisecond
	maxDelay      = 5 * time.Second
)

// restarts decides whether and when a process that died is started again.
type restarts struct{ at []time.Time }

// next returns how long to wait before the restart; false when there were too
// many within the window.
func (r *restarts) next(now time.Time) (time.Duration, bool) {
	for len(r.at) > 0 && now.Sub(r.at[0]) >= restartWindow {
		r.at = r.at[1:]
	}
	n := len(r.at)
	if n == maxRestarts {
		return 0, false
	}
	r.at = append(r.at, now)
	return min(firstDelay<<n, maxDelay), true
}
