package uplink_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"longwave/origin/store/storetest/uplink"
)

// TestLine: uploads at one time share the line, and it hangs, breaks and comes back.
func TestLine(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer srv.Close()
	l := uplink.Start(t, srv.URL)
	put := func(n int, most time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), most)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, l.Endpoint, bytes.NewReader(make([]byte, n)))
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	if err := put(1_000_000, time.Minute); err != nil {
		t.Fatal(err)
	}
	l.Limit(100_000)
	began := time.Now()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := put(25_000, time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took < 950*time.Millisecond { // a slow machine takes longer
		t.Errorf("100 kB took %v at 100 kB/s", took)
	}
	l.Hang()
	if err := put(1_000, 200*time.Millisecond); err == nil {
		t.Error("it answers though it hangs")
	}
	l.Cut()
	if err := put(1_000, time.Minute); err == nil {
		t.Error("it answers though it is cut")
	}
	l.Mend()
	if err := put(1_000_000, time.Minute); err != nil {
		t.Error(err)
	}
}
