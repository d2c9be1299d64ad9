package relay

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"longwave/packager"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func response(status int, kind, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body))}
}

// TestListOnItsWay: what changes while a list is on its way, as the standing of a rendition
// does, is in the next one.
func TestListOnItsWay(t *testing.T) {
	var r *Relay
	puts := 0
	r = New(Options{Name: "b", URL: "https://b.example", Log: slog.New(slog.DiscardHandler), Client: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		if puts++; puts == 1 {
			r.desk.again() // a rendition is shed
		}
		return response(201, "", ""), nil
	})}})
	r.desk.put(packager.Object{Key: packager.Key{Station: "talk", Kind: packager.Multivariant, Name: "index"}, Data: []byte("#EXTM3U\n")})
	for range 3 {
		r.desk.round(t.Context())
	}
	if puts != 2 {
		t.Errorf("the list was put %d times, want 2: it changed while it was on its way", puts)
	}
}

// TestSaid: what another server says about an error is told.
func TestSaid(t *testing.T) {
	for _, c := range []struct{ kind, body, want string }{
		{"text/plain; charset=utf-8", "push to a longwave origin\n", "status 403: push to a longwave origin"},
		{"application/problem+json", `{"title":"not here","reason":"other_station"}`, "status 403: not here"},
		{"text/html", "<html>no</html>", "status 403"},
		{"text/plain", strings.Repeat("x", 300), "status 403"},
		{"text/plain", "a\x1b[2Jb", "status 403"},
	} {
		r := New(Options{Name: "b", URL: "https://b.example", Log: slog.New(slog.DiscardHandler), Client: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return response(403, c.kind, c.body), nil
		})}})
		err := r.send(t.Context(), request{key: packager.Key{Station: "talk", Kind: packager.State, Name: "status"}, data: []byte("{}")})
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%q: error %v, want one that ends with %q", c.body, err, c.want)
		}
	}
}
