package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJudgedFigure(t *testing.T) {
	playing := judgedRow{name: "CDN A refuses", after: 30 * time.Second}
	for _, c := range []struct {
		name, text string
		row        judgedRow
		value      float64
		notes      string
	}{
		{"no gap", `{"startUpMs": 600, "gaps": []}`, playing, 0, "plays on"},
		{"gap before the fault", `{"startUpMs": 600, "gaps": [{"second": 3, "ms": 4000}]}`, playing, 0, "plays on"},
		{
			"gaps", `{"startUpMs": 600, "gaps": [{"second": 7, "ms": 1500}, {"second": 9.5, "ms": 1200}]}`, playing, 1200,
			"plays on; 1500 ms after -1.0 s; 1200 ms after 1.5 s",
		},
		{
			"gave up", `{"startUpMs": 600, "gaps": [{"second": 10, "ms": 28000, "open": true}],
			"player": {"log": [{"phase": "playing"}, {"phase": "dead"}]}, "messages": ["gave up: code 1001", "else"]}`, playing, 28000,
			"silent until the end, 30 s after the fault, dead: needs a press (code 1001); 28000 ms after 2.0 s",
		},
		{
			"still trying", `{"startUpMs": 600, "gaps": [{"second": 10, "ms": 28000, "open": true}]}`, playing, 28000,
			"silent until the end, 30 s after the fault, still trying; 28000 ms after 2.0 s",
		},
		{"never heard", `{"startUpMs": null, "gaps": []}`, playing, 30000, "was never heard, still trying"},
		{"start", `{"startUpMs": 812.4, "gaps": [{"second": 10, "ms": 100}]}`, judgedRow{start: true}, 812, "press to first sound"},
		{"no start", `{"startUpMs": null, "gaps": []}`, judgedRow{start: true}, 20000, "did not begin, still trying"},
	} {
		var v verdict
		if err := json.Unmarshal([]byte(c.text), &v); err != nil {
			t.Fatal(err)
		}
		f := v.figure(c.row, judge{name: "x"})
		if diff := cmp.Diff(c.notes, f.Notes); diff != "" || f.Value != c.value {
			t.Errorf("%s: %v ms, want %v; notes (-want +got):\n%s", c.name, f.Value, c.value, diff)
		}
	}
}
