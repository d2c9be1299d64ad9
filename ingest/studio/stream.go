package studio

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"longwave/ingest"
)

const (
	writeTimeout   = 5 * time.Second // of one write: whoever is slower is dropped
	heartbeatEvery = 15 * time.Second
	stateEvery     = 100 * time.Millisecond // at most
)

// Why a stream ends: the event bye's reason, and the metrics' label. Of gone and slow
// nobody can be told.
const (
	byeExpired  = "expired"
	byeRevoked  = "revoked"
	byeRemoved  = "removed"
	byeReplaced = "replaced" // too many streams of one token: the oldest goes
	byeEnding   = "ending"   // of the server
	endGone     = "gone"
	endSlow     = "slow"
)

// streams are the open event streams.
type streams struct {
	most, each int

	mu     sync.Mutex
	open   []*stream // oldest first
	closed bool
}

// enter counts s in; of one token the oldest leaves when there are too many.
func (x *streams) enter(s *stream) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return problemf(http.StatusServiceUnavailable, kindBusy, "The server is being restarted. Come back in a moment.")
	}
	var mine []*stream
	for _, o := range x.open {
		if o.call.token.ID == s.call.token.ID && !o.leaving {
			mine = append(mine, o)
		}
	}
	switch {
	case len(mine) >= x.each && len(x.open) < 2*x.most: // those that leave take their time if nobody reads
		mine[0].leave(byeReplaced)
	case len(x.open) >= x.most:
		return problemf(http.StatusServiceUnavailable, kindBusy, "Too many event streams are open. Come back in a moment.")
	}
	x.open = append(x.open, s)
	return nil
}

// left counts s out and returns how many of its token are left.
func (x *streams) left(s *stream) int {
	x.mu.Lock()
	x.open = slices.DeleteFunc(x.open, func(o *stream) bool { return o == s })
	x.mu.Unlock()
	return x.of(s.call.token.ID)
}

// of returns how many streams of a token are open.
func (x *streams) of(id string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for _, o := range x.open {
		if o.call.token.ID == id && !o.leaving {
			n++
		}
	}
	return n
}

// count returns how many are open.
func (x *streams) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.open)
}

// close ends all streams, and lets nobody open one any more.
func (x *streams) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	for _, s := range x.open {
		s.leave(byeEnding)
	}
}

// A stream tells one client what happens. One goroutine runs it: the request's.
type stream struct {
	call    *call
	out     *http.ResponseController
	quit    chan string // why it ends
	leaving bool        // guarded by the streams' mutex

	buf     []byte
	version uint64    // of the last state that was told
	stateAt time.Time // when
	tick    uint64
	last    int64 // news
	first   int64 // the newest news when it began
	beat    time.Time
}

// leave asks the stream to end. The streams' mutex is held.
func (s *stream) leave(why string) {
	s.leaving = true
	select {
	case s.quit <- why:
	default:
	}
}

// events answers with the station's events (WHATWG HTML section 9.2).
func (a *API) events(w http.ResponseWriter, r *http.Request) {
	c, err := a.admit(w, r, anybody)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	s := &stream{call: c, out: http.NewResponseController(w), quit: make(chan string, 1), beat: c.now}
	if err := a.streams.enter(s); err != nil {
		a.refuse(w, r, err)
		return
	}
	defer a.gone(s)
	defer c.station.join()()
	now := c.station.look()
	s.first, s.last, s.version = now.last, now.last, now.version-1
	if id, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
		s.last = id
	}
	// The server's time-outs are for requests that end.
	if err := errors.Join(s.out.SetReadDeadline(time.Time{}), s.out.SetWriteDeadline(c.now.Add(writeTimeout))); err != nil {
		a.refuse(w, r, fmt.Errorf("open event stream: %w", err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx keeps it back otherwise
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	a.metrics.answered(r, http.StatusOK)
	why := s.run(r.Context())
	a.metrics.ended.WithLabelValues(why).Inc()
	a.opt.Log.InfoContext(r.Context(), "event stream closed", "station", c.station.Name, "speaker", c.token.Name, "token_id", c.token.ID, "reason", why, "lasted", time.Since(c.now).Round(time.Millisecond))
}

// gone ends what must not go on without its stream: a host who speaks to the guests
// would do so for ever.
func (a *API) gone(s *stream) {
	c := s.call
	if a.streams.left(s) == 0 && c.host() {
		_ = c.station.talk(c.token.ID, talk{}) // who is not there speaks to nobody
	}
}

// expiredEvery is how often it is looked whether a speaker whose token has expired is
// still here.
const expiredEvery = 5 * time.Second

// run tells what happens until the client has gone or must go, and returns why.
func (s *stream) run(ctx context.Context) string {
	var expired <-chan time.Time
	if !s.call.token.Expires.IsZero() {
		expired = time.After(time.Until(s.call.token.Expires))
	}
	s.buf = append(s.buf, "retry: 1000\n\n"...)
	for {
		v := s.call.station.look()
		why := s.gather(v)
		if why == "" && len(s.buf) > 0 {
			if end := s.write(); end != "" {
				return end
			}
		}
		if why == "" {
			select {
			case <-v.wake:
			case why = <-s.quit:
			case <-time.After(s.next(v)):
			case <-expired:
				why = byeExpired
				if s.call.api.here(s.call.token) { // then not yet
					why, expired = "", time.After(expiredEvery)
				}
			case <-ctx.Done():
				return endGone
			}
		}
		if why != "" {
			s.event("bye", "", struct {
				Reason string `json:"reason"`
			}{why})
			return cmp.Or(s.write(), why)
		}
	}
}

// next returns how long nothing has to be told.
func (s *stream) next(v view) time.Duration {
	wait := time.Until(s.beat.Add(heartbeatEvery))
	if v.version != s.version {
		wait = min(wait, time.Until(s.stateAt.Add(stateEvery)))
	}
	return wait
}

// gather appends what is to be told now, and returns why the stream must end, if it must.
func (s *stream) gather(v view) (why string) {
	c, now := s.call, time.Now()
	if v.version != s.version && c.station.Show.Revoked(c.token.ID) {
		return byeRevoked
	}
	for _, n := range c.station.newsAfter(s.last) {
		s.last = n.ID
		s.event("news", strconv.FormatInt(n.ID, 10), n)
		if n.ID > s.first && n.Kind == string(ingest.EventRemoved) && n.Seat == c.token.ID {
			return byeRemoved
		}
	}
	if v.version != s.version && now.Sub(s.stateAt) >= stateEvery {
		s.version, s.stateAt = v.version, now
		s.event("state", "", c.api.snapshot(c.station, c.token, now))
	}
	if v.tick != s.tick {
		s.tick = v.tick
		s.buf = append(s.buf, "event: levels\ndata: "...)
		s.buf = append(v.levels.appendTo(s.buf, c.token), "\n\n"...)
	}
	if now.Sub(s.beat) >= heartbeatEvery {
		s.beat = now
		s.buf = append(s.buf, ": still here\n\n"...)
	}
	return ""
}

// event appends an event.
func (s *stream) event(name, id string, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		return // it holds nothing that JSON has not
	}
	if id != "" {
		s.buf = append(append(append(s.buf, "id: "...), id...), '\n')
	}
	s.buf = append(append(append(s.buf, "event: "...), name...), "\ndata: "...)
	s.buf = append(append(s.buf, text...), "\n\n"...)
}

// write sends what was gathered, and returns why the stream ends if that fails.
func (s *stream) write() (end string) {
	err := s.out.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = s.call.w.Write(s.buf)
	}
	if err == nil {
		err = s.out.Flush()
	}
	s.buf = s.buf[:0]
	switch {
	case err == nil:
		return ""
	case errors.Is(err, os.ErrDeadlineExceeded):
		return endSlow
	}
	return endGone
}
