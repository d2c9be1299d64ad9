package main_test

import (
	"bytes"
	"crypto/md5" //nolint:gosec // nginx names its files by it
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/cmd/longwave/systemtest/edges"
	"longwave/packager"
	"longwave/packager/hls"
)

// TestEdges: real caches before a node that only they may ask. Behind each the station is
// by the rules, fifty listeners are one request, nothing of a query makes one object two,
// an error is forgotten, and when the node is dead the same address has the plain playlists
// of its store, until it is back.
func TestEdges(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(testing.TB, edges.Place) *edges.Edge{"varnish": edges.Varnish, "ats": edges.TrafficServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEdgeTest(t, begin)
			e.closed()
			e.listen()
			e.flat()
			e.same()
			e.forgets()
			e.purges()
			e.falls()
			e.hangs()
			e.alone()
		})
	}
}

// An edgeTest is an edge with what is behind it.
type edgeTest struct {
	*testing.T
	node *systemtest.Node
	live string // a media playlist at the edge
	path string // of a rendition
	url  string // of the edge

	second *httptest.Server // what stands in for the node
}

func newEdgeTest(t *testing.T, begin func(testing.TB, edges.Place) *edges.Edge) *edgeTest {
	t.Helper()
	const secret = "the secret of the CDN"
	file := filepath.Join(t.TempDir(), "shield")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	node := systemtest.Start(t, systemtest.Options{Config: small + "shield: {secret_file: " + file + "}\n"})
	second := httptest.NewServer(asBucket(http.Dir(node.Store())))
	t.Cleanup(second.Close)
	awaitReady(node)
	edge := begin(t, edges.Place{Origin: node.URL, Second: second.URL, Secret: secret})
	const path = "/talk/aac-48/"
	return &edgeTest{T: t, node: node, url: edge.URL, path: path, live: edge.URL + path + "live.m3u8", second: second}
}

// asBucket gives out a store as a bucket does: with the headers that were put.
func asBucket(dir http.Dir) http.Handler {
	files := http.FileServer(dir)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k, err := packager.ParseKey(r.URL.Path[1:]); err == nil {
			if f, err := dir.Open(r.URL.Path); err == nil {
				_ = f.Close()
				w.Header().Set("Content-Type", k.ContentType())
				w.Header().Set("Cache-Control", k.CacheControl())
			}
		}
		files.ServeHTTP(w, r)
	})
}

// get asks the edge.
func (e *edgeTest) get(url string) systemtest.Reply {
	e.Helper()
	r, err := systemtest.Fetch(e.Context(), url)
	if err != nil {
		e.Fatal(err)
	}
	return r
}

// playlist asks the edge for a playlist.
func (e *edgeTest) playlist(url string) *hls.Media {
	e.Helper()
	r := e.get(url)
	if r.Status != http.StatusOK {
		e.Fatalf("%s: status %d", url, r.Status)
	}
	return parseMedia(e.T, r.Body)
}

// asked returns how many requests of a kind the node has had, whatever it answered.
func (e *edgeTest) asked(kind string) int {
	e.Helper()
	return int(e.node.Figures().Sum("longwave_origin_requests_total", `kind="`+kind+`"`))
}

// within polls until done is true; e.node need not run.
func (e *edgeTest) within(d time.Duration, what string, done func() bool) {
	e.Helper()
	for end := time.Now().Add(d); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			e.Fatalf("%s: not in %v", what, d)
		}
	}
}

// closed: who does not come by the edge is refused, and the edge gives out what is for
// the audience alone.
func (e *edgeTest) closed() {
	e.Helper()
	for _, c := range []struct {
		method, url string
		status      int
	}{
		{http.MethodGet, e.node.URL + e.path + "live.m3u8", http.StatusForbidden},
		{http.MethodGet, e.live, http.StatusOK},
		{http.MethodHead, e.live, http.StatusOK},
		{http.MethodGet, e.url + "/talk/", http.StatusOK},
		{http.MethodGet, e.url + "/api/v1/stations/talk", http.StatusNotFound},
		{http.MethodGet, e.url + "/studio/talk", http.StatusNotFound},
		{http.MethodPost, e.live, http.StatusMethodNotAllowed},
		{http.MethodDelete, e.live, http.StatusMethodNotAllowed},
	} {
		req, err := http.NewRequestWithContext(e.Context(), c.method, c.url, nil)
		if err != nil {
			e.Fatal(err)
		}
		req.Header.Set("Cookie", "a=b")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			e.Fatal(err)
		}
		_ = resp.Body.Close()
		refused := c.status == http.StatusMethodNotAllowed && resp.StatusCode == http.StatusForbidden // Traffic Server's word
		if resp.StatusCode != c.status && !refused {
			e.Errorf("%s %s: status %d, want %d", c.method, c.url, resp.StatusCode, c.status)
		}
		if resp.StatusCode == http.StatusOK && resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			e.Errorf("%s %s: no CORS", c.method, c.url)
		}
	}
}

// listen: a strict listener finds nothing that breaks a MUST.
func (e *edgeTest) listen() {
	e.Helper()
	code, stdout, stderr := listening(e.T, e.url+"/talk/index.m3u8", "--for", "6s", "--slack", "1m", "--quiet")
	if code != 0 {
		e.Errorf("longwave listen: exit code %d\n%s%s", code, stdout, stderr)
	}
}

// flat: fifty listeners that reload a playlist are one to the node, whatever they add to
// their requests and in which order.
func (e *edgeTest) flat() {
	e.Helper()
	const listeners, rounds = 50, 6
	e.node.Await("what the last listener waited for", func() bool { return e.node.Figures().Sum("longwave_origin_waiting_requests") == 0 })
	before := e.asked("blocking")
	at := e.playlist(e.live).Next()
	for range rounds {
		bodies := make([][]byte, listeners)
		var all sync.WaitGroup
		for i := range listeners {
			url := fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d&x=%d", e.live, at.MSN, at.Part, i)
			if i%2 == 1 {
				url = fmt.Sprintf("%s?utm=%d&_HLS_part=%d&_HLS_msn=%d", e.live, i, at.Part, at.MSN)
			}
			all.Go(func() {
				r, err := systemtest.Fetch(e.Context(), url)
				if err != nil || r.Status != http.StatusOK {
					e.Errorf("%s: %v, status %d", url, err, r.Status)
				}
				bodies[i] = r.Body
			})
		}
		all.Wait()
		for _, b := range bodies {
			if !bytes.Equal(b, bodies[0]) {
				e.Fatalf("two listeners have two playlists for one request:\n%s\n%s", bodies[0], b)
			}
		}
		m := parseMedia(e.T, bodies[0])
		if !m.Contains(at) {
			e.Fatalf("the playlist does not have what was asked for, %v:\n%s", at, bodies[0])
		}
		at = m.Next()
	}
	// Traffic Server lets a second one through now and then, while the first sets out.
	if asked := e.asked("blocking") - before; asked < 1 || asked > 2*rounds {
		e.Errorf("%d listeners in %d reloads: the node was asked %d times", listeners, rounds, asked)
	}
}

// same: no query makes a segment another object.
func (e *edgeTest) same() {
	e.Helper()
	before := e.asked("segment")
	m := e.playlist(e.live)
	uri := m.Segments[len(m.Segments)-2].URI
	for i := range 20 {
		if r := e.get(fmt.Sprintf("%s%s%s?_HLS_msn=%d&x=%d", e.url, e.path, uri, i, i)); r.Status != http.StatusOK {
			e.Errorf("segment: status %d", r.Status)
		}
	}
	if asked := e.asked("segment") - before; asked > 1 {
		e.Errorf("20 queries of one segment: the node was asked %d times", asked)
	}
}

// forgets: a part that was asked for too early is there when it is there.
func (e *edgeTest) forgets() {
	e.Helper()
	const most = 5 * time.Second // the usual time for which errors are kept is 10 s and more
	next := e.playlist(e.live).Next()
	part := packager.Key{Station: "talk", Rendition: "aac-48", Kind: packager.Part, MSN: next.MSN + 2}
	if r := e.get(e.url + "/" + part.String()); r.Status != http.StatusNotFound || r.Header.Get("Cache-Control") != "no-store" {
		e.Errorf("a part to come: status %d, Cache-Control %q, want 404 and no-store", r.Status, r.Header["Cache-Control"])
	}
	for msn := next.MSN; msn < part.MSN; msn++ {
		e.playlist(fmt.Sprintf("%s?_HLS_msn=%d", e.live, msn))
	}
	e.playlist(fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", e.live, part.MSN, part.Part))
	e.within(most, "the part that was not there", func() bool {
		return e.get(e.url+"/"+part.String()).Status == http.StatusOK
	})
}

// purges: what is taken out of the cache is asked for again, whatever was asked with it, and
// only who may take it out does so.
func (e *edgeTest) purges() {
	e.Helper()
	m := e.playlist(e.live)
	url := e.url + e.path + m.Segments[len(m.Segments)-3].URI
	e.get(url + "?x=1")
	before := e.asked("segment")
	if e.get(url); e.asked("segment") != before {
		e.Fatalf("%s is not in the cache: the test is broken", url)
	}
	if status := purge(e.T, url, "127.0.0.2"); status != http.StatusMethodNotAllowed && status != http.StatusForbidden {
		e.Errorf("a stranger takes something out: status %d", status)
	}
	if e.get(url); e.asked("segment") != before {
		e.Error("a stranger took something out")
	}
	if status := purge(e.T, url, "127.0.0.1"); status != http.StatusOK {
		e.Errorf("PURGE: status %d", status)
	}
	if r := e.get(url); r.Status != http.StatusOK || e.asked("segment") != before+1 {
		e.Errorf("after PURGE: status %d, the node was asked %d times", r.Status, e.asked("segment")-before)
	}
}

// purge asks the edge to forget, from an address of this machine.
func purge(t *testing.T, url, from string) int {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), "PURGE", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// alone: neither the node nor its store answers. The edge gives out a live playlist for as
// long as the table says and then says that there is none; what does not change stays.
func (e *edgeTest) alone() {
	e.Helper()
	const most = 30 * time.Second
	m := e.playlist(e.live)
	kept := []string{e.url + "/talk/index.m3u8", e.url + e.path + m.Segments[0].Map.URI, e.url + e.path + m.Segments[len(m.Segments)-2].URI}
	for _, url := range kept {
		if r := e.get(url); r.Status != http.StatusOK {
			e.Fatalf("%s: status %d", url, r.Status)
		}
	}
	blocked := fmt.Sprintf("%s?_HLS_msn=%d", e.live, m.OpenMSN()+1)
	e.node.Kill()
	e.second.CloseClientConnections()
	e.second.Close()
	var last systemtest.Reply
	e.within(most, "the end of the live playlist", func() bool {
		last = e.get(e.live)
		if age, _ := strconv.Atoi(last.Header.Get("Age")); last.Status == http.StatusOK && age > e.oldest() {
			e.Fatalf("a live playlist that is %d s old, the table allows %d", age, e.oldest())
		}
		return last.Status != http.StatusOK
	})
	for _, url := range []string{e.live, blocked} {
		r := e.get(url)
		if r.Status != packager.CacheGone || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Access-Control-Allow-Origin") != "*" {
			e.Errorf("%s: status %d, headers %v; want %d, no-store and CORS", url, r.Status, r.Header, packager.CacheGone)
		}
	}
	for _, url := range kept {
		if r := e.get(url); r.Status != http.StatusOK {
			e.Errorf("%s was in the cache: status %d", url, r.Status)
		}
	}
}

// oldest is how old a live playlist may be, in seconds: Traffic Server counts whole ones.
func (e *edgeTest) oldest() int {
	e.Helper()
	for _, r := range packager.CacheRules() {
		if r.Kind == packager.Media && r.Control == "public, max-age=1, stale-if-error=4" {
			return 1 + 4 + 1
		}
	}
	e.Fatal("the table has another rule: write it here, too")
	return 0
}

// falls: the node dies and comes back, under one address.
func (e *edgeTest) falls() {
	e.Helper()
	const most = 30 * time.Second
	at := e.playlist(e.live).Next()
	blocked := fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", e.live, at.MSN+1, at.Part)
	e.node.Kill()
	for _, url := range []string{e.live, blocked} {
		failed := 0
		e.within(most, "the plain playlist of the store: "+url, func() bool {
			r := e.get(url)
			if r.Status >= http.StatusInternalServerError {
				failed++
			}
			return r.Status == http.StatusOK && !parseMedia(e.T, r.Body).Control.CanBlockReload
		})
		if failed > 0 {
			e.Errorf("%s: %d answers were errors", url, failed)
		}
	}
	m := e.playlist(e.live)
	if r := e.get(e.url + e.path + m.Segments[0].URI); r.Status != http.StatusOK {
		e.Errorf("a segment of the store: status %d", r.Status)
	}
	e.node.Start()
	e.within(most, "low latency again", func() bool {
		r := e.get(e.live)
		return r.Status == http.StatusOK && parseMedia(e.T, r.Body).Control.CanBlockReload
	})
	at = e.playlist(e.live).Next()
	if m := e.playlist(fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", e.live, at.MSN, at.Part)); !m.Contains(at) {
		e.Errorf("blocked reload after the restart: %v is not there", at)
	}
}

// hangs: a node that takes requests and does not answer is as good as dead.
func (e *edgeTest) hangs() {
	e.Helper()
	const most = 30 * time.Second
	e.node.Signal(syscall.SIGSTOP)
	e.within(most, "the plain playlist of the store, the node hangs", func() bool {
		r := e.get(e.live)
		if r.Status >= http.StatusInternalServerError {
			e.Fatalf("status %d", r.Status)
		}
		return r.Status == http.StatusOK && !parseMedia(e.T, r.Body).Control.CanBlockReload
	})
	e.node.Signal(syscall.SIGCONT)
	e.within(most, "low latency after the hang", func() bool {
		r := e.get(e.live)
		return r.Status == http.StatusOK && parseMedia(e.T, r.Body).Control.CanBlockReload
	})
}

// TestEdgePlain: nginx before a store. A strict listener finds nothing wrong, and fifty
// listeners with queries of their own are one request for a segment.
func TestEdgePlain(t *testing.T) {
	t.Parallel()
	node := systemtest.Start(t, systemtest.Options{Config: small})
	awaitReady(node)
	var segments atomic.Int64
	bucket := asBucket(http.Dir(node.Store()))
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k, err := packager.ParseKey(r.URL.Path[1:]); err == nil && k.Kind == packager.Segment {
			segments.Add(1)
		}
		bucket.ServeHTTP(w, r)
	}))
	t.Cleanup(store.Close)
	edge := edges.Nginx(t, edges.Place{Origin: node.URL, Second: store.URL})
	e := &edgeTest{T: t, node: node, url: edge.URL, path: "/talk/aac-48/", live: edge.URL + "/talk/aac-48/live.m3u8", second: store}
	m := e.playlist(e.live + "?_HLS_msn=1")
	if m.Control.CanBlockReload {
		t.Error("the playlist is not plain")
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			url := fmt.Sprintf("%s%s%s?x=%d", e.url, e.path, m.Segments[0].URI, i)
			if r, err := systemtest.Fetch(t.Context(), url); err != nil || r.Status != http.StatusOK {
				t.Errorf("%s: %v, status %d", url, err, r.Status)
			}
		})
	}
	all.Wait()
	if n := segments.Load(); n != 1 {
		t.Errorf("50 listeners of one segment: the store was asked %d times", n)
	}
	// Taken out, as infra/edge/README.md has it.
	sum := fmt.Sprintf("%x", md5.Sum([]byte(e.path+m.Segments[0].URI))) //nolint:gosec // as nginx does
	if err := os.Remove(filepath.Join(edge.Cache, sum[31:], sum[29:31], sum)); err != nil {
		t.Error(err)
	}
	if e.get(e.url + e.path + m.Segments[0].URI); segments.Load() != 2 {
		t.Errorf("after its file was removed: the store was asked %d times in all", segments.Load())
	}
	e.listen()
	for path, want := range map[string]int{"/talk/aac-48/1.m4s": http.StatusNotFound, "/api/v1/x": http.StatusNotFound} {
		if r := e.get(e.url + path); r.Status != want {
			t.Errorf("%s: status %d, want %d", path, r.Status, want)
		} else if path != "/api/v1/x" && r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, r.Header["Cache-Control"])
		}
	}
	e.alone()
}
