package origin_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/origin"
)

// TestPagesAreCounted: what a page answers is counted as it was answered.
func TestPagesAreCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := origin.NewServer(origin.Options{Live: origin.NewLive(), Log: slog.New(slog.DiscardHandler), Registry: reg})
	page := s.Page(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/talk/" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte("page"))
	}))
	for _, path := range []string{"/talk/", "/talk/", "/talk/a/none.js"} {
		page.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"longwave_origin_requests_total page 200":   2,
		"longwave_origin_requests_total page 404":   1,
		"longwave_origin_response_bytes_total page": 12,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}
