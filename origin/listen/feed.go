package listen

import (
	"context"
	"net/url"
	"slices"
	"time"

	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// A feed gets the parts of a rendition, as they are published, and hands complete
// segments to the reel.
type feed struct {
	r      *rendition
	line   timeline
	cursor hls.Position  // the part that comes next
	first  version       // zero before there is one
	edge   time.Duration // where it ends
	hint   *hinted
	parts  [][]byte // of the segment under way, from its first on
	whole  bool     // none of them is missing
	anew   bool     // the next segment does not follow the last one
	gaps   Gaps
	count  int // parts
	tags   int // discontinuities
}

// A hinted part was asked for before it existed.
type hinted struct {
	part hls.PreloadHint
	stop context.CancelFunc
	done chan struct{} // closed when the answer is there
	a    answer
	err  error
}

// Gaps are what was not there.
type Gaps struct {
	// MissingSegments were left out of the numbering, could not be got, or were no
	// longer listed when the playlist could be read again.
	MissingSegments int `json:"missing_segments"`
	MissingParts    int `json:"missing_parts"` // listed or hinted at, and not to be had
	Holes           int `json:"holes"`         // jumps in the media time (tfdt)
	Tagged          int `json:"tagged"`        // EXT-X-GAP and GAP=YES
	Late            int `json:"late"`          // parts and segments that came too late
}

// run takes versions until there are no more.
func (f *feed) run(ctx context.Context) {
	defer close(f.r.reel.jobs)
	for v := range f.r.versions {
		f.line.update(v.m)
		if f.first.m == nil {
			f.first, f.edge = v, f.line.edge(v.m)
			f.begin(v.m)
		}
		if v.fresh {
			f.r.player.start(v.at, f.line.edge(v.m), holdBack(v.m))
		}
		f.take(ctx, v.m)
		if v.m.EndList {
			f.r.player.finish()
		}
		f.ask(ctx, v.m)
	}
}

// begin places the cursor where a player would begin: at the segment that is as far
// behind the live edge as the playlist says; at the beginning of one that has ended.
func (f *feed) begin(m *hls.Media) {
	f.next(m.FirstMSN())
	if m.EndList {
		return
	}
	from := f.line.edge(m) - holdBack(m)
	for f.cursor.MSN+1 < m.OpenMSN() && f.line.begin(f.cursor.MSN+1) <= from {
		f.cursor.MSN++
	}
	if f.cursor.MSN+1 == m.OpenMSN() && len(m.Open.Parts) > 0 && f.line.begin(m.OpenMSN()) <= from {
		f.cursor.MSN++
	}
}

// take gets what is new in m.
func (f *feed) take(ctx context.Context, m *hls.Media) {
	if missed := m.FirstMSN() - f.cursor.MSN; missed > 0 {
		f.r.found(broken("segment-missed", "%d segments from %d on", missed, f.cursor.MSN))
		f.gaps.MissingSegments += int(missed)
		f.next(m.FirstMSN())
		f.anew = true
	}
	if f.cursor.MSN > m.OpenMSN()+3 { // the numbers began anew
		f.begin(m)
		f.anew = true
	}
	for ctx.Err() == nil && f.cursor.MSN <= m.OpenMSN() {
		if f.cursor.MSN == m.OpenMSN() {
			f.takeParts(ctx, &m.Open)
			return
		}
		s := &m.Segments[f.cursor.MSN-m.FirstMSN()]
		f.takeParts(ctx, s)
		f.close(ctx, s, m)
	}
}

// next begins a segment.
func (f *feed) next(msn int64) {
	f.cursor = hls.Position{MSN: msn}
	f.parts, f.whole = nil, true
}

// takeParts gets the parts of a segment from the cursor on.
func (f *feed) takeParts(ctx context.Context, s *hls.Segment) {
	begin := f.line.begin(f.cursor.MSN)
	for k, p := range s.Parts {
		if k == f.cursor.Part && ctx.Err() == nil {
			f.takePart(ctx, p, begin)
			f.cursor.Part++
		}
		begin += p.Duration
	}
}

// takePart gets one part, whose answer may be here already.
func (f *feed) takePart(ctx context.Context, p hls.Part, begin time.Duration) {
	if p.Gap {
		f.gaps.Tagged++
		f.whole = false
		return
	}
	a, err := f.fetch(ctx, p)
	if ctx.Err() != nil {
		return
	}
	if err != nil || !a.ok() {
		f.gaps.MissingParts++
		f.whole = false
		return
	}
	f.count++
	f.r.s.parts.Add(1)
	f.r.s.first(&f.r.s.firstMedia, a.done)
	f.r.player.add(a.done, begin, begin+p.Duration)
	if f.whole {
		f.parts = append(f.parts, a.body)
	}
}

// fetch returns the part: the one that was hinted at, or a new one.
func (f *feed) fetch(ctx context.Context, p hls.Part) (answer, error) {
	if h := f.hint; h != nil && h.part.URI == p.URI && h.part.ByteRange == p.ByteRange {
		f.hint = nil
		select {
		case <-h.done:
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
		if h.err == nil && h.a.ok() {
			f.r.judgeMedia(&h.a, hlstest.PartialSegment)
			f.drip(&h.a, p)
			return h.a, nil
		}
		if ctx.Err() == nil {
			f.r.found(broken("hinted-part-missing", "%s: %s", p.URI, outcome(&h.a, h.err)))
		}
	}
	return f.r.fetchMedia(ctx, classPart, file{p.URI, p.ByteRange})
}

// drip judges how a part that was waited for came.
func (f *feed) drip(a *answer, p hls.Part) {
	if took := a.done.Sub(a.first); took > p.Duration/2+f.r.s.opt.Slack {
		f.r.found(broken("part-drip", "%s took %v from its first byte to its last, for %v of sound", p.URI, took.Round(time.Millisecond), p.Duration.Round(time.Millisecond)))
	}
}

// close hands a complete segment to the reel.
func (f *feed) close(ctx context.Context, s *hls.Segment, m *hls.Media) {
	msn := f.cursor.MSN
	if s.Discontinuity {
		f.tags++
	}
	j := job{msn: msn, s: *s, target: m.TargetDuration, begin: f.line.begin(msn), anew: f.anew}
	if n := len(s.Parts); f.whole && n > 0 && len(f.parts) == n {
		j.parts = f.parts
	}
	if s.Gap {
		f.gaps.Tagged++
		f.anew = true
		f.next(msn + 1)
		return
	}
	f.anew = !f.send(ctx, j, m.EndList)
	f.next(msn + 1)
}

// send gives a segment to the reel. The end of a stream can wait; its live edge
// cannot.
func (f *feed) send(ctx context.Context, j job, patient bool) bool {
	select {
	case f.r.reel.jobs <- j:
		return true
	default:
	}
	if !patient { // this machine or its network is slower than the stream
		f.r.s.ledger.note("segments came faster than they could be read here: some were not judged")
		return false
	}
	select {
	case f.r.reel.jobs <- j:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask requests the part that m hints at, before it exists (section 6.2.6).
func (f *feed) ask(ctx context.Context, m *hls.Media) {
	i := slices.IndexFunc(m.Hints, func(h hls.PreloadHint) bool { return h.Type == hls.HintPart })
	if i < 0 || m.EndList {
		return
	}
	h := m.Hints[i]
	if h.ByteRange.Start > 0 && h.ByteRange.Length == 0 { // its end is not known
		return
	}
	if f.hint != nil && f.hint.part == h {
		return
	}
	if f.hint != nil { // it was taken back
		f.hint.stop()
	}
	next := &hinted{part: h, done: make(chan struct{})}
	ctx, next.stop = context.WithCancel(ctx)
	f.hint = next
	f.r.s.group.Go(func() error {
		defer next.stop()
		defer close(next.done)
		next.a, next.err = f.r.getMedia(ctx, classHint, file{h.URI, h.ByteRange})
		return nil
	})
}

// A file is what a playlist names.
type file struct {
	uri   string
	bytes hls.ByteRange
}

// getMedia asks for a file of the rendition.
func (r *rendition) getMedia(ctx context.Context, k class, f file) (answer, error) {
	u, err := r.base.Load().Parse(f.uri)
	if err != nil {
		return answer{url: &url.URL{Path: shorten(f.uri)}}, err
	}
	within := plainTime
	if k == classHint {
		within = 3*r.targetDuration() + 5*time.Second
	}
	return r.s.fetch.get(ctx, request{class: k, url: u, bytes: f.bytes, within: within})
}

// fetchMedia asks for a file that is listed, and judges the answer.
func (r *rendition) fetchMedia(ctx context.Context, k class, f file) (answer, error) {
	a, err := r.getMedia(ctx, k, f)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.found(broken("unreachable", "%s: %v", f.uri, err))
	default:
		of := map[class]hlstest.Resource{classInit: hlstest.InitSegment, classSegment: hlstest.MediaSegment, classPart: hlstest.PartialSegment}[k]
		r.judgeMedia(&a, of)
	}
	return a, err
}

// judgeMedia applies the rules about headers.
func (r *rendition) judgeMedia(a *answer, of hlstest.Resource) {
	for i := range a.moved {
		r.found(hlstest.CheckResponse(a.moved[i].response(of, r.targetDuration()))...)
	}
	for _, v := range hlstest.CheckResponse(a.response(of, r.targetDuration())) {
		if v.Rule.Name == "http-content-type" && r.foreign.Load() {
			continue // the right type is not that of fragmented MP4
		}
		v.Found = a.url.Path + ": " + v.Found
		r.found(v)
	}
}
