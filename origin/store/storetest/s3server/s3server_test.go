package s3server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"longwave/origin/store/storetest/s3server"
)

func get(t *testing.T, url string) int {
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
	return resp.StatusCode
}

func TestServer(t *testing.T) {
	srv := s3server.Start(t)
	for _, key := range []string{"talk/index.m3u8", "_/settings.json"} {
		_, err := srv.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &srv.Bucket, Key: &key, Body: strings.NewReader("x")})
		if err != nil {
			t.Fatal(err)
		}
	}
	public, private := srv.Endpoint+"/"+srv.Bucket+"/talk/index.m3u8", srv.Endpoint+"/"+srv.Bucket+"/_/settings.json"
	status := func(step string, wantPublic, wantPrivate int) {
		t.Helper()
		if got := get(t, public); got != wantPublic {
			t.Errorf("%s: %d for a public object, want %d", step, got, wantPublic)
		}
		if got := get(t, private); got != wantPrivate {
			t.Errorf("%s: %d for a private object, want %d", step, got, wantPrivate)
		}
	}
	status("no policy", http.StatusForbidden, http.StatusForbidden)
	srv.AllowRead(t, srv.Bucket, false)
	status("read allowed", http.StatusOK, http.StatusForbidden)
	srv.Kill()
	if _, err := srv.Client().ListBuckets(t.Context(), nil, func(o *s3.Options) { o.RetryMaxAttempts = 1 }); err == nil {
		t.Error("the server answers after it was killed")
	}
	srv.Restart(t)
	status("restarted", http.StatusOK, http.StatusForbidden)
	srv.AllowRead(t, srv.Bucket, true)
	status("everything allowed", http.StatusOK, http.StatusOK)
}
