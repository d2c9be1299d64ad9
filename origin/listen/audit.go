package listen

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// What no player asks for is asked for after auditFirst, and then every auditEvery.
const (
	auditFirst = 3 * time.Second
	auditEvery = 10 * time.Second
)

// audit asks now and then for what only a judge wants to know.
func (s *session) audit(ctx context.Context) {
	pause(ctx, auditFirst)
	for n := 0; ctx.Err() == nil; n++ {
		if n == 0 {
			s.probe(ctx)
		}
		s.refresh(ctx)
		for _, f := range s.families {
			s.compare(ctx, f)
		}
		for _, r := range s.renditions {
			r.checkDelta(ctx)
			r.checkRemoved(ctx)
		}
		s.checkSwitch(ctx, n)
		pause(ctx, auditEvery)
	}
}

// refresh reads the multivariant playlists again.
func (s *session) refresh(ctx context.Context) {
	for _, f := range s.families {
		a, err := s.fetch.get(ctx, request{class: classMultivariant, url: f.url, within: plainTime})
		if err != nil {
			if ctx.Err() == nil {
				s.ledger.add("", broken("unreachable", "%s: %v", f.url.Redacted(), err))
			}
			continue
		}
		m := s.judgeFamily(&a)
		if m == nil {
			continue
		}
		for _, v := range m.Variants {
			if r := f.members[v.URI]; r != nil {
				r.declared = v
			}
		}
	}
}

// racy are the rules that two playlists can seem to break because they were not
// got at the same instant. They count when they are broken three times in a row.
var racy = []string{"renditions-edge", "renditions-window", "report-wrong"}

// compare judges the playlists of a family against each other.
func (s *session) compare(ctx context.Context, f *family) {
	const tries = 3
	for try := 1; ctx.Err() == nil; try++ {
		lists := s.together(ctx, f)
		if len(lists) < 2 || ctx.Err() != nil {
			return
		}
		found := hlstest.CheckRenditions(lists)
		doubtful := false
		for _, v := range found {
			if slices.Contains(racy, v.Rule.Name) && try < tries {
				doubtful = true
				continue
			}
			s.ledger.add("", v)
		}
		if !doubtful {
			return
		}
	}
}

// together gets the playlists of a family at the same moment: when the next part is
// published.
func (s *session) together(ctx context.Context, f *family) map[string][]byte {
	var d hls.Directives
	lists := map[string][]byte{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for uri, r := range f.members {
		m := r.latest.Load()
		if m == nil || m.EndList || !slices.Contains(s.renditions, r) {
			continue
		}
		if m.Control.CanBlockReload && !d.Blocking {
			d = hls.Directives{Blocking: true, At: m.Next()}
		}
		at := d
		at.Blocking = at.Blocking && m.Control.CanBlockReload
		all.Go(func() {
			if a, err := r.ask(ctx, classCheck, at); err == nil && a.ok() {
				mu.Lock()
				defer mu.Unlock()
				lists[uri] = a.body
			}
		})
	}
	all.Wait()
	return lists
}

// checkDelta compares the playlist as delta updates made it with a full one.
func (r *rendition) checkDelta(ctx context.Context) {
	const tries = 3
	for range tries {
		m := r.latest.Load()
		if m == nil || m.EndList || m.Control.CanSkipUntil == 0 || !m.Control.CanBlockReload {
			return
		}
		a, err := r.ask(ctx, classCheck, hls.Directives{Blocking: true, At: m.Last()})
		if err != nil || !a.ok() {
			return
		}
		full, err := hls.ParseMedia(a.body)
		if err != nil || full.Skip.Segments > 0 {
			return // its own rules say so
		}
		if full.Last() != m.Last() || full.OpenMSN() != m.OpenMSN() || full.MediaSequence != m.MediaSequence {
			continue // it has moved on
		}
		if merged, whole := comparable(m), comparable(full); !bytes.Equal(merged, whole) {
			r.found(broken("delta-differs", "%s", difference(merged, whole)))
		}
		return
	}
}

// comparable renders what a delta update may not change. Reports and hints are of
// the moment at which a playlist was made.
func comparable(m *hls.Media) []byte {
	c := *m
	c.Reports, c.Hints, c.Version = nil, nil, 0
	return c.Append(nil)
}

// difference shows the first line that is not the same.
func difference(merged, full []byte) string {
	a, b := bytes.Split(merged, []byte("\n")), bytes.Split(full, []byte("\n"))
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			return fmt.Sprintf("line %d: merged %q, full %q", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("merged %d lines, full %d lines", len(a), len(b))
}

// checkRemoved asks for a segment and a part that have just left the playlist.
func (r *rendition) checkRemoved(ctx context.Context) {
	m := r.latest.Load()
	if m == nil || m.EndList {
		return
	}
	if k, ok := r.reel.segments.before(m.FirstMSN()); ok {
		r.checkKept(ctx, k)
	}
	listed := m.OpenMSN()
	for i, s := range m.Segments {
		if len(s.Parts) > 0 {
			listed = m.FirstMSN() + int64(i)
			break
		}
	}
	if k, ok := r.reel.parts.before(listed); ok {
		r.checkKept(ctx, k)
	}
}

func (r *rendition) checkKept(ctx context.Context, k keepsake) {
	a, err := r.getMedia(ctx, classCheck, k.file)
	switch {
	case ctx.Err() != nil:
	case err != nil || a.status == http.StatusNotFound || a.status == http.StatusGone:
		r.found(broken("removed-early", "%s: %s", k.uri, outcome(&a, err)))
	case a.ok() && sha256.Sum256(a.body) != k.sum:
		r.found(broken("bytes-changed", "%s has other bytes now", k.uri))
	}
}

// checkSwitch does what a player does that switches: it asks another rendition for
// what the report in this one's playlist names.
func (s *session) checkSwitch(ctx context.Context, n int) {
	r := s.renditions[n%len(s.renditions)]
	m := r.latest.Load()
	if m == nil || m.EndList || len(m.Reports) == 0 {
		return
	}
	rep := m.Reports[n%len(m.Reports)]
	u, err := r.base.Load().Parse(rep.URI)
	if err != nil {
		return
	}
	i := slices.IndexFunc(s.renditions, func(o *rendition) bool { return o.url.String() == u.String() })
	if i < 0 || rep.Last.MSN < 0 || rep.Last.Part < 0 {
		return
	}
	to := s.renditions[i]
	a, err := to.ask(ctx, classCheck, hls.Directives{Blocking: true, At: rep.Last})
	if err == nil && (!a.ok() || a.wait() > m.PartTarget/2+s.opt.Slack) {
		r.found(broken("report-ahead", "the report says that %s has %v: %s after %v", to.name, rep.Last, outcome(&a, nil), a.wait().Round(time.Millisecond)))
	}
}
