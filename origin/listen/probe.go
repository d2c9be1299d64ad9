package listen

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// atOnce is how long an answer may take that is waited for by nobody: less than any
// wait for media.
const atOnce = 750 * time.Millisecond

// probe asks the first rendition for what a good server refuses, and for what
// browsers and tools ask besides.
func (s *session) probe(ctx context.Context) {
	for _, r := range s.renditions {
		m := r.latest.Load()
		if m == nil {
			continue
		}
		p := prober{r: r, m: m}
		if m.Control.CanBlockReload && !m.EndList {
			p.reloads(ctx)
		}
		p.unknownPart(ctx)
		p.encodings(ctx)
		p.heads(ctx)
		p.preflight(ctx)
		p.unknownQuery(ctx)
		return
	}
}

// A prober asks one rendition.
type prober struct {
	r *rendition
	m *hls.Media
}

// ask makes a request; false means that there was no answer, which was noted.
func (p prober) ask(ctx context.Context, req request) (answer, bool) {
	req.class, req.within = classCheck, plainTime
	a, err := p.r.s.fetch.get(ctx, req)
	if err != nil && ctx.Err() == nil {
		p.r.found(broken("unreachable", "%s: %v", req.url.Redacted(), err))
	}
	return a, err == nil
}

// query returns the address of the playlist with a query besides its own.
func (p prober) query(q string) *url.URL {
	u := *p.r.url
	u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+q, "&")
	return &u
}

// reloads asks for what makes no sense, and for what is past (section 6.2.5.2).
func (p prober) reloads(ctx context.Context) {
	open := p.m.OpenMSN()
	for _, try := range []struct {
		rule, query string
		want        int
	}{
		{"reload-nonsense", "_HLS_msn=soon", http.StatusBadRequest},
		{"reload-nonsense", "_HLS_msn=-1", http.StatusBadRequest},
		{"reload-nonsense", fmt.Sprintf("_HLS_msn=%d&_HLS_part=x", open), http.StatusBadRequest},
		{"reload-part-alone", "_HLS_part=0", http.StatusBadRequest},
		{"reload-ahead", fmt.Sprintf("_HLS_msn=%d", open+100), http.StatusBadRequest},
		{"reload-past", fmt.Sprintf("_HLS_msn=%d", p.m.FirstMSN()), http.StatusOK},
		{"reload-past", "_HLS_msn=0", http.StatusOK},
		{"reload-past", fmt.Sprintf("_HLS_msn=%d&_HLS_part=%d", open-1, 1000), 0}, // the next segment's first part: held, or there
	} {
		if try.want == 0 && p.m.PartTarget == 0 {
			continue
		}
		a, ok := p.ask(ctx, request{url: p.query(try.query), accept: "gzip"})
		switch {
		case !ok:
		case try.want == 0 && a.status != http.StatusOK && a.status != http.StatusBadRequest:
			p.r.found(broken(try.rule, "?%s: %s", try.query, outcome(&a, nil)))
		case try.want != 0 && (a.status != try.want || a.wait() > atOnce):
			p.r.found(broken(try.rule, "?%s: %s after %v", try.query, outcome(&a, nil), a.wait().Round(time.Millisecond)))
		case a.status >= 400:
			p.r.found(hlstest.CheckResponse(a.response(hlstest.Failure, p.m.TargetDuration))...)
		}
	}
}

// reNumber finds the numbers in a file's name.
var reNumber = regexp.MustCompile(`\d+`)

// beyond returns the address of a part that nobody hinted at: two after the one that
// was, where names have the number of the part, else one that cannot be.
func beyond(hint string, part int) string {
	path, query, _ := strings.Cut(hint, "?")
	if query != "" {
		query = "?" + query
	}
	name := strings.LastIndexByte(path, '/') + 1
	stem := path[name:]
	if dot := strings.LastIndexByte(stem, '.'); dot > 0 { // the 4 of m4s is no number
		stem = stem[:dot]
	}
	for _, at := range slices.Backward(reNumber.FindAllStringIndex(stem, -1)) {
		if n, err := strconv.Atoi(stem[at[0]:at[1]]); err == nil && n == part {
			return path[:name+at[0]] + strconv.Itoa(part+2) + path[name+at[1]:] + query
		}
	}
	return path[:name] + "no-such-" + path[name:] + query
}

// unknownPart asks for a part that nobody hinted at (section 6.2.6).
func (p prober) unknownPart(ctx context.Context) {
	m := p.r.latest.Load()
	hint := m.Hint()
	if hint == "" || m.EndList {
		return
	}
	uri := beyond(hint, m.Next().Part)
	u, err := p.r.base.Load().Parse(uri)
	if err != nil {
		return
	}
	a, ok := p.ask(ctx, request{url: u})
	switch {
	case !ok:
	case a.status != http.StatusNotFound || a.wait() > atOnce:
		p.r.found(broken("part-unknown", "%s: %s after %v", uri, outcome(&a, nil), a.wait().Round(time.Millisecond)))
	default:
		p.r.found(hlstest.CheckResponse(a.response(hlstest.Failure, m.TargetDuration))...)
	}
}

// encodings asks as clients do that do not know gzip.
func (p prober) encodings(ctx context.Context) {
	for _, accept := range []string{"identity", "gzip;q=0"} {
		a, ok := p.ask(ctx, request{url: p.r.url, accept: accept})
		if ok && a.header.Get("Content-Encoding") == "gzip" {
			p.r.found(broken("gzip-unasked", "the playlist comes with gzip to Accept-Encoding: %s", accept))
		}
	}
}

// heads asks for headers alone.
func (p prober) heads(ctx context.Context) {
	asked := []*url.URL{p.r.url}
	if n := len(p.m.Segments); n > 0 {
		if u, err := p.r.base.Load().Parse(p.m.Segments[n-1].URI); err == nil {
			asked = append(asked, u)
		}
	}
	for _, u := range asked {
		get, ok := p.ask(ctx, request{url: u, accept: "identity"})
		if !ok || !get.ok() {
			continue
		}
		head, ok := p.ask(ctx, request{url: u, method: http.MethodHead, accept: "identity"})
		if !ok {
			continue
		}
		if head.status != get.status {
			p.r.found(broken("http-head", "%s: %s, GET %d", u.Path, outcome(&head, nil), get.status))
			continue
		}
		for _, name := range []string{"Content-Type", "Cache-Control", "Access-Control-Allow-Origin"} {
			if head.header.Get(name) != get.header.Get(name) {
				p.r.found(broken("http-head", "%s: %s is %q, to GET %q", u.Path, name, head.header.Get(name), get.header.Get(name)))
			}
		}
	}
}

// preflight asks as a browser does before a page of another origin may.
func (p prober) preflight(ctx context.Context) {
	a, ok := p.ask(ctx, request{url: p.r.url, method: http.MethodOptions, header: http.Header{
		"Access-Control-Request-Method":  {http.MethodGet},
		"Access-Control-Request-Headers": {"range"},
	}})
	if ok && (a.status < 200 || a.status > 299 || a.header.Get("Access-Control-Allow-Origin") != "*") {
		p.r.found(broken("http-preflight", "%s, Access-Control-Allow-Origin %q", outcome(&a, nil), a.header.Get("Access-Control-Allow-Origin")))
	}
}

// unknownQuery asks with what a player or a link may add.
func (p prober) unknownQuery(ctx context.Context) {
	a, ok := p.ask(ctx, request{url: p.query("longwave-unknown=1&CMCD=ot%3Dm"), accept: "gzip"})
	if ok && !a.ok() {
		p.r.found(broken("query-unknown", "%s", outcome(&a, nil)))
	}
}
