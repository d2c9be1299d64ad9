package s3_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"longwave/origin/store"
	"longwave/origin/store/s3"
	"longwave/origin/store/storetest/s3server"
)

// TestLate: a write that was given up comes to the server after all, when a newer one is
// done. The newer one stays.
func TestLate(t *testing.T) {
	srv := s3server.Start(t)
	for _, tt := range []struct {
		name  string
		first []string // what is written before
	}{{"the first of all", nil}, {"a later one", []string{"one"}}, {"one of many", []string{"one", "two", "three"}}} {
		t.Run(tt.name, func(t *testing.T) {
			late, landed := make(chan struct{}), make(chan int, 1)
			_, address := before(t, srv, func(p *proxy, _ http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut || p.puts() != len(tt.first)+1 {
					return false
				}
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				held := r.Clone(context.WithoutCancel(r.Context()))
				held.Body = io.NopCloser(bytes.NewReader(body))
				go func() { // as a proxy does that takes requests in whole
					<-late
					answer := httptest.NewRecorder()
					p.ReverseProxy.ServeHTTP(answer, held)
					landed <- answer.Code
				}()
				<-r.Context().Done()
				return true
			})
			o := options(t, srv)
			o.Endpoint, o.Tries, o.Prefix = address, 1, "late-"+strconv.Itoa(len(tt.first))+"/"
			s := open(t, o)
			put := func(ctx context.Context, text string) error {
				_, err := s.PutIf(ctx, "talk/a/live.m3u8", []byte(text), store.Always)
				return err
			}
			for _, text := range tt.first {
				if err := put(t.Context(), text); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if err := put(ctx, "old"); err == nil {
				t.Fatal("the old one was not held")
			}
			if err := put(t.Context(), "new, and the end"); err != nil {
				t.Fatal(err)
			}
			close(late)
			if status := <-landed; status != http.StatusPreconditionFailed {
				t.Errorf("the late write got status %d, want 412", status)
			}
			if o, err := s.Get(t.Context(), "talk/a/live.m3u8"); err != nil || string(o.Data) != "new, and the end" {
				t.Errorf("there is %q, %v", o.Data, err)
			}
		})
	}
}

// TestOthersWrite: what somebody else left meanwhile is replaced all the same.
func TestOthersWrite(t *testing.T) {
	srv := s3server.Start(t)
	s, other := open(t, options(t, srv)), open(t, options(t, srv))
	for i := range 4 {
		for _, by := range []*s3.Store{s, other} {
			if _, err := by.PutIf(t.Context(), "talk/a/live.m3u8", []byte(strconv.Itoa(i)), store.Always); err != nil {
				t.Fatal(err)
			}
		}
		if i == 2 {
			if err := other.Delete(t.Context(), "talk/a/live.m3u8"); err != nil {
				t.Fatal(err)
			}
		}
	}
}
