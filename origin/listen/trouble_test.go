package listen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longwave/origin/listen"
	"longwave/packager/hls"
)

func TestOptions(t *testing.T) {
	for _, opt := range []listen.Options{
		{URL: ""},
		{URL: "talk"},
		{URL: "ftp://station.test/talk/"},
		{URL: "http:///talk/"},
		{URL: "http://station.test/%zz"},
		{URL: "http://station.test/", For: -1},
		{URL: "http://station.test/", Slack: -1},
	} {
		if _, err := listen.New(opt); !errors.Is(err, listen.ErrOptions) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", opt, err)
		}
	}
}

func TestNoSuchRendition(t *testing.T) {
	st := &station{tape: tapeOf(t, "low")}
	synctest.Test(t, func(t *testing.T) {
		transport := st.start(t)
		time.Sleep(10 * time.Second)
		l, err := listen.New(listen.Options{URL: "http://station.test/talk/", Transport: transport, Renditions: []string{"opus-48"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Run(t.Context()); !errors.Is(err, listen.ErrOptions) || !strings.Contains(err.Error(), "aac-48, opus-24") {
			t.Error(err)
		}
	})
}

// What cannot be heard is said in one line that says what to look at.
func TestUnreadable(t *testing.T) {
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = refused.Close()
	mux := http.NewServeMux()
	text := func(path, kind, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
		})
	}
	const list = "application/vnd.apple.mpegurl"
	text("/page", "text/html", "<h1>nothing here</h1>")
	text("/picture", "image/png", "\x89PNG")
	text("/empty.m3u8", list, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n\n")
	text("/nested.m3u8", list, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nnested.m3u8\n")
	text("/gone.m3u8", list, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nno.m3u8\n")
	text("/key.m3u8", list, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:2,\na.ts\n")
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "#EXTM3U")
	})
	mux.HandleFunc("/close", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/bomb.m3u8", func(w http.ResponseWriter, _ *http.Request) {
		for range 5 {
			_, _ = w.Write(make([]byte, 1<<20))
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for url, want := range map[string]string{
		"http://" + refused.Addr().String() + "/":               "nothing answers",
		"http://no-such-host.invalid/":                          "no-such-host.invalid",
		server.URL + "/none":                                    "404 Not Found",
		server.URL + "/page":                                    "names no playlist",
		server.URL + "/picture":                                 `neither a page nor a playlist (Content-Type "image/png")`,
		server.URL + "/empty.m3u8":                              "has no rendition",
		server.URL + "/nested.m3u8":                             "no media playlist could be read",
		server.URL + "/gone.m3u8":                               "no media playlist could be read",
		server.URL + "/key.m3u8":                                "no media playlist could be read",
		server.URL + "/loop":                                    "more than 5 redirects",
		server.URL + "/cut":                                     "the server cut the connection",
		server.URL + "/close":                                   "the server cut the connection",
		server.URL + "/bomb.m3u8":                               "more than 4194304 bytes",
		strings.Replace(server.URL, "http:", "https:", 1) + "/": "does not speak TLS",
	} {
		t.Run(want, func(t *testing.T) {
			l, err := listen.New(listen.Options{URL: url, For: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			rep, err := l.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %q", err, want)
			}
			if !rep.Failed(false) || rep.Passed || rep.Reason != err.Error() {
				t.Errorf("%+v", rep)
			}
		})
	}
}

// A server that accepts and says nothing is left.
func TestHang(t *testing.T) {
	for name, hangs := range map[string]func(*http.Request) bool{
		"from the start": func(*http.Request) bool { return true },
		"blocked":        func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "_HLS_msn") },
	} {
		t.Run(name, func(t *testing.T) {
			st := &station{tape: tapeOf(t, "low"), serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if hangs(r) {
					<-r.Context().Done()
					return
				}
				next.ServeHTTP(w, r)
			}}
			synctest.Test(t, func(t *testing.T) {
				transport := st.start(t)
				time.Sleep(10 * time.Second)
				l, err := listen.New(listen.Options{URL: "http://station.test/talk/", For: 40 * time.Second, Transport: transport})
				if err != nil {
					t.Fatal(err)
				}
				rep, err := l.Run(t.Context())
				if name == "blocked" {
					if f := rules(rep)["unreachable"]; err != nil || f.Found == "" || !strings.Contains(f.Found, "no answer within 11s") {
						show(t, rep)
						t.Error(err)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), "no answer within 10s") {
					t.Error(err)
				}
			})
		})
	}
}

// A reload that is held for longer than three target durations is a warning.
func TestHeldTooLong(t *testing.T) {
	st := &station{tape: tapeOf(t, "low"), serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.Contains(r.URL.RawQuery, "_HLS_msn") {
			select {
			case <-time.After(7 * time.Second):
			case <-r.Context().Done():
			}
		}
		next.ServeHTTP(w, r)
	}}
	rep := st.hear(t, listen.Options{})
	if _, ok := rules(rep)["reload-held"]; !ok {
		show(t, rep)
		t.Error("reload-held was not found")
	}
}

// Dates in the future are not those of the sound.
func TestClock(t *testing.T) {
	st := &station{tape: tapeOf(t, "plain"), put: playlists(func(m *hls.Media) bool {
		for i := range m.Segments {
			m.Segments[i].PDT = m.Segments[i].PDT.Add(time.Hour)
		}
		return true
	})}
	rep := st.hear(t, listen.Options{})
	onlyRules(t, rep, "clock")
	if rep.Failed(false) {
		t.Error("that is a warning")
	}
}

// The listener lets go of everything when it is told to, whatever it waits for: a
// bubble ends only then.
func TestLeaveAtAnyTime(t *testing.T) {
	st := &station{tape: tapeOf(t, "low")}
	for _, after := range []time.Duration{0, time.Millisecond, 170 * time.Millisecond, 3 * time.Second, 3100 * time.Millisecond} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport := st.start(t)
				time.Sleep(10 * time.Second)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(after, cancel)
				l, err := listen.New(listen.Options{URL: "http://station.test/talk/", Transport: transport})
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				rep, err := l.Run(ctx)
				if err != nil && !strings.HasSuffix(err.Error(), "interrupted before anything was read") {
					t.Error(err)
				}
				if took := time.Since(begin); took > after+2*time.Second {
					t.Errorf("it took %v to leave", took)
				}
				if err == nil && (len(rep.Must) > 0 || rep.Gaps != listen.Gaps{}) {
					show(t, rep)
					t.Error("what the listener did not wait for is no fault")
				}
			})
		})
	}
}
