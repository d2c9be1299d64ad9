package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadTests(t *testing.T) {
	tests := []struct {
		name string
		in   []string
		want tally
		out  string
	}{
		{
			"a pass is quiet",
			[]string{
				`{"Action":"start","Package":"a"}`,
				`{"Action":"output","Package":"a","Output":"-test.shuffle 7\n"}`,
				`{"Action":"output","Package":"a","Test":"TestX","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"a","Test":"TestX"}`,
				`{"Action":"output","Package":"a","Output":"PASS\n"}`,
				`{"Action":"output","Package":"a","Output":"ok  \ta\t0.1s\n"}`,
				`{"Action":"pass","Package":"a"}`,
				`{"Action":"output","Package":"b","Output":"?   \tb\t[no test files]\n"}`,
				`{"Action":"skip","Package":"b"}`,
			},
			tally{passed: 1},
			"ok  \ta\t0.1s\n",
		},
		{
			"a failure says all that it said, its package counts no second time",
			[]string{
				`{"Action":"output","Package":"a","Test":"TestX","Output":"one\n"}`,
				`{"Action":"output","Package":"a","Test":"TestY","Output":"other\n"}`,
				`{"Action":"output","Package":"a","Test":"TestX","Output":"    a_test.go:7: two\n"}`,
				`{"Action":"fail","Package":"a","Test":"TestX"}`,
				`{"Action":"pass","Package":"a","Test":"TestY"}`,
				`{"Action":"output","Package":"a","Output":"-test.shuffle 7\n"}`,
				`{"Action":"fail","Package":"a"}`,
			},
			tally{passed: 1, failed: 1},
			"one\n    a_test.go:7: two\n-test.shuffle 7\nfailed: a TestX\n    a_test.go:7: two\n",
		},
		{
			"what does not compile has failed",
			[]string{
				`{"ImportPath":"a","Action":"build-output","Output":"a.go:1: no\n"}`,
				`{"ImportPath":"a","Action":"build-fail"}`,
				`{"Action":"fail","Package":"a","FailedBuild":"a"}`,
			},
			tally{failed: 1},
			"a.go:1: no\n",
		},
		{
			"a panic shows what had been said",
			[]string{
				`{"Action":"output","Package":"a","Test":"TestX","Output":"goroutine 7\n"}`,
				`{"Action":"fail","Package":"a"}`,
			},
			tally{failed: 1},
			"goroutine 7\n",
		},
		{
			"a skip says why",
			[]string{
				`{"Action":"output","Package":"a","Test":"TestX","Output":"no tool\n"}`,
				`{"Action":"skip","Package":"a","Test":"TestX"}`,
			},
			tally{skipped: 1},
			"no tool\n",
		},
		{"what is no event is passed on", []string{`go: no such tool`}, tally{}, "go: no such tool\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			got, err := readTests(strings.NewReader(strings.Join(tt.in, "\n")), &out)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("counted %+v, want %+v", got, tt.want)
			}
			if diff := cmp.Diff(tt.out, out.String()); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}
