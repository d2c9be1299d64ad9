package listen

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// media is what is known of a rendition before its playlist is.
type media struct {
	name     string
	pathway  string
	declared hls.Variant
}

// A rendition is followed by three goroutines: one reads its playlist, one gets the
// parts (feed), one the segments (reel).
type rendition struct {
	media
	s        *session
	url      *url.URL
	base     atomic.Pointer[url.URL] // what URIs are relative to: url after redirects
	follower hlstest.Follower
	latest   atomic.Pointer[hls.Media] // the newest playlist, merged
	versions chan version              // to the feed, the newest alone
	player   player
	feed     feed
	reel     reel
	delay    sketch      // of the live edge
	foreign  atomic.Bool // segments are not fragmented MP4
	loads    loads
}

// loads is what the goroutine that reads the playlist knows of its requests.
type loads struct {
	at       time.Time // when the newest version came
	fails    int       // in a row
	blocking bool      // it is followed by blocking reloads
}

// A version is a playlist and when it came.
type version struct {
	m  *hls.Media
	at time.Time
	// fresh: it came when its newest part or segment was published.
	fresh bool
}

func newRendition(s *session, u *url.URL, m media) *rendition {
	r := &rendition{media: m, s: s, url: u, versions: make(chan version, 1)}
	r.feed.r, r.reel.r = r, r
	r.reel.jobs = make(chan job, maxJobs)
	r.base.Store(u)
	return r
}

// found notes broken rules.
func (r *rendition) found(v ...hlstest.Violation) { r.s.ledger.add(r.name, v...) }

// maxFails is after how many failures a playlist that was never read is given up.
const maxFails = 4

// readPlaylist follows the playlist until the context or the stream ends.
func (r *rendition) readPlaylist(ctx context.Context) {
	defer close(r.versions)
	for ctx.Err() == nil {
		sent := time.Now()
		d := r.directives()
		changed, err := r.load(ctx, d)
		if ctx.Err() != nil {
			return
		}
		m := r.follower.Media()
		switch {
		case err != nil:
			r.loads.fails++
			if m == nil && r.loads.fails == maxFails {
				return
			}
			pause(ctx, min(100*time.Millisecond<<r.loads.fails, 2*time.Second))
			continue
		case m == nil: // a delta update that did not fit
		case m.EndList:
			return
		case d.Blocking && !changed: // it should have waited
			pause(ctx, 100*time.Millisecond)
		case !m.Control.CanBlockReload:
			pause(ctx, time.Until(sent.Add(reloadAfter(m, changed))))
		}
		r.loads.fails = 0
	}
}

// reloadAfter returns how long a client waits that cannot block (section 6.3.4).
func reloadAfter(m *hls.Media, changed bool) time.Duration {
	if changed {
		return m.TargetDuration
	}
	return m.TargetDuration / 2
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// directives returns what the next request asks for.
func (r *rendition) directives() hls.Directives {
	m := r.follower.Media()
	if m == nil || !m.Control.CanBlockReload || r.loads.fails > 0 {
		return hls.Directives{}
	}
	d := hls.Directives{Blocking: true, At: m.Next()}
	if m.Control.CanSkipUntil > 0 && time.Since(r.loads.at) < m.Control.CanSkipUntil/2 {
		d.Skip = hls.SkipSegments
	}
	return d
}

// withDirectives returns the address of a playlist with directives. Parameters are
// sorted, so that all clients ask with the same address (section 6.3.2).
func withDirectives(u *url.URL, d hls.Directives) *url.URL {
	var params []string
	if u.RawQuery != "" {
		params = strings.Split(u.RawQuery, "&")
	}
	if d.Blocking {
		params = append(params, "_HLS_msn="+strconv.FormatInt(d.At.MSN, 10))
		if d.At.Part != hls.Whole {
			params = append(params, "_HLS_part="+strconv.Itoa(d.At.Part))
		}
	}
	if d.Skip != hls.SkipNone {
		params = append(params, "_HLS_skip=YES")
	}
	slices.Sort(params)
	next := *u
	next.RawQuery = strings.Join(params, "&")
	return &next
}

// targetDuration of the stream, or zero while it is not known.
func (r *rendition) targetDuration() time.Duration {
	if m := r.latest.Load(); m != nil {
		return m.TargetDuration
	}
	return 0
}

// response describes a for the judge of headers.
func (a *answer) response(of hlstest.Resource, target time.Duration) hlstest.Response {
	return hlstest.Response{Resource: of, Status: a.status, Header: a.header, AcceptsGzip: true, TargetDuration: target}
}

// ask makes a request of a player for a playlist.
func (r *rendition) ask(ctx context.Context, k class, d hls.Directives) (answer, error) {
	within := plainTime
	if d.Blocking { // three target durations, and the network
		within = 3*r.targetDuration() + 5*time.Second
	}
	return r.s.fetch.get(ctx, request{class: k, url: withDirectives(r.url, d), accept: "gzip", within: within})
}

// load gets the playlist and judges it. It reports whether the live edge moved.
func (r *rendition) load(ctx context.Context, d hls.Directives) (bool, error) {
	k, of := classPlaylist, hlstest.MediaPlaylist
	if d.Blocking {
		k, of = classReload, hlstest.BlockedPlaylist
	}
	a, err := r.ask(ctx, k, d)
	if err != nil {
		if ctx.Err() == nil {
			r.found(broken("unreachable", "%s: %v", r.url.Redacted(), err))
		}
		return false, err
	}
	r.found(hlstest.CheckResponse(a.response(of, r.targetDuration()))...)
	if !a.ok() {
		return false, fmt.Errorf("the server answers %d %s", a.status, http.StatusText(a.status))
	}
	if hls.IsMultivariant(a.body) {
		err := fmt.Errorf("%s is a multivariant playlist where a media playlist should be", r.url.Redacted())
		r.s.ledger.note(err.Error())
		return false, err
	}
	r.base.Store(a.url)
	old := r.follower.Media()
	r.judge(&a, d)
	m := r.follower.Media()
	if m == nil || m == old { // it could not be read, or not merged
		if m == nil && old != nil {
			return false, nil
		}
		return false, fmt.Errorf("%s cannot be read", r.url.Redacted())
	}
	r.loads.at = a.first
	return r.take(&a, d, old, m), nil
}

// judge applies the rules about playlists.
func (r *rendition) judge(a *answer, d hls.Directives) {
	r.follower.Slack = r.s.opt.Slack
	if td := r.targetDuration(); !d.Blocking {
		r.follower.Slack += td // what lies between two polls
	} else if a.wait() > 3*td+r.s.opt.Slack {
		r.found(broken("reload-held", "%v", a.wait().Round(time.Millisecond)))
	}
	if d.Blocking {
		r.found(r.follower.Answer(d, a.first, a.body)...)
	} else {
		r.found(r.follower.Playlist(a.first, a.body)...)
	}
}

// take measures a new version and hands it on.
func (r *rendition) take(a *answer, d hls.Directives, old, m *hls.Media) bool {
	r.loads.blocking = m.Control.CanBlockReload
	r.s.first(&r.s.firstPlaylist, a.done)
	changed := old != nil && (m.Last().Compare(old.Last()) > 0 || m.OpenMSN() > old.OpenMSN())
	// Only an answer that was waited for tells when something was published.
	waited := d.Blocking && m.Contains(d.At) && a.wait() >= 2*time.Millisecond
	if date, ok := newestDate(m); ok && changed && (waited || !r.loads.blocking) {
		r.delay.add(a.first.Sub(date))
	}
	r.latest.Store(m)
	v := version{m: m, at: a.first, fresh: changed && (waited || !r.loads.blocking)}
	for {
		select {
		case r.versions <- v:
			return changed
		case <-r.versions: // the feed has not seen it and will not miss it
		}
	}
}
