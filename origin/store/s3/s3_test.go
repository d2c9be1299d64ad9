package s3_test

import (
	"net/http"
	"testing"

	"longwave/origin/store"
	"longwave/origin/store/s3"
	"longwave/origin/store/storetest"
	"longwave/origin/store/storetest/s3server"
)

// options are those for an empty bucket of srv.
func options(t *testing.T, srv *s3server.Server) s3.Options {
	t.Helper()
	return s3.Options{
		Bucket:          srv.NewBucket(t),
		Region:          s3server.Region,
		Endpoint:        srv.Endpoint,
		PathStyle:       true,
		CredentialsFile: srv.CredentialsFile(t),
	}
}

func open(t *testing.T, o s3.Options) *s3.Store {
	t.Helper()
	s, err := s3.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	srv := s3server.Start(t)
	tests := []struct {
		name string
		edit func(*s3.Options)
	}{
		{"default", func(*s3.Options) {}},
		{"prefix", func(o *s3.Options) { o.Prefix = "radio/one/" }},
		{"single writer", func(o *s3.Options) { o.SingleWriter = true }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var o s3.Options // of the store opened last
			storetest.Run(t, func(t *testing.T) store.Store {
				o = options(t, srv)
				tt.edit(&o)
				return open(t, o)
			}, storetest.Options{Headers: func(t *testing.T, n store.Name) http.Header {
				srv.AllowRead(t, o.Bucket, true)
				return headers(t, o.Endpoint+"/"+o.Bucket+"/"+o.Prefix+string(n))
			}})
		})
	}
}

func headers(t *testing.T, url string) http.Header {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	return resp.Header
}
