package hls_test

import (
	"errors"
	"math"
	"math/big"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/packager/hls"
)

func blocking(msn int64, part int, skip hls.SkipMode) hls.Directives {
	return hls.Directives{Blocking: true, At: hls.Position{MSN: msn, Part: part}, Skip: skip}
}

func TestParseDirectives(t *testing.T) {
	for _, c := range []struct {
		query string
		want  hls.Directives
	}{
		{"", hls.Directives{}},
		{"a=b&_HLS_pathway=%22x%22&_HLS_throughput=5&CMCD=_HLS_msn%3Dx&&=&%", hls.Directives{}},
		{"_HLS_skip=YES", hls.Directives{Skip: hls.SkipSegments}},
		{"_HLS_skip=v2", hls.Directives{Skip: hls.SkipDateRanges}},
		{"_HLS_msn=0", blocking(0, hls.Whole, 0)},
		{"_HLS_msn=931000000", blocking(931000000, hls.Whole, 0)},
		{"_HLS_msn=931000000&_HLS_part=0", blocking(931000000, 0, 0)},
		{"_HLS_part=3&_HLS_skip=YES&_HLS_msn=931000000&t=1", blocking(931000000, 3, hls.SkipSegments)},
		{"_HLS_msn=9223372036854775807&_HLS_part=2147483647", blocking(math.MaxInt64, math.MaxInt32, 0)},
		{"_HLS_msn=7&_HLS_msn=7&_HLS_part=1&_HLS_part=1&_HLS_skip=v2&_HLS_skip=v2", blocking(7, 1, hls.SkipDateRanges)},
		{"_HLS_msn=0007", blocking(7, hls.Whole, 0)},
		{"%5fHLS_msn=%37&_HLS%5Fpart=%32", blocking(7, 2, 0)},
		{"_hls_msn=x&HLS_msn=y&x_HLS_msn=-1", hls.Directives{}},
	} {
		got, err := hls.ParseDirectives(c.query)
		if err != nil {
			t.Errorf("%s: %v", c.query, err)
		}
		diff(t, c.query, c.want, got)
	}
}

func TestParseDirectivesRefuses(t *testing.T) {
	for _, query := range []string{
		"_HLS_msn", "_HLS_msn=", "_HLS_msn=x", "_HLS_msn=-1", "_HLS_msn=+1", "_HLS_msn=1.0", "_HLS_msn=0x1", "_HLS_msn=1%20",
		"_HLS_msn=9223372036854775808", "_HLS_msn=18446744073709551616", "_HLS_msn=000000000000000000001",
		"_HLS_msn=1&_HLS_msn=2", "_HLS_msn=1;_HLS_part=1", "_HLS_msn=%zz",
		"_HLS_part=0", "_HLS_part=0&_HLS_skip=YES",
		"_HLS_msn=1&_HLS_part=", "_HLS_msn=1&_HLS_part=-1", "_HLS_msn=1&_HLS_part=2147483648", "_HLS_msn=1&_HLS_part=1&_HLS_part=0",
		"_HLS_skip", "_HLS_skip=", "_HLS_skip=yes", "_HLS_skip=NO", "_HLS_skip=V2", "_HLS_skip=YES&_HLS_skip=v2",
	} {
		got, err := hls.ParseDirectives(query)
		if !errors.Is(err, hls.ErrDirectives) {
			t.Errorf("%s: %+v, %v", query, got, err)
		}
		diff(t, query, hls.Directives{}, got)
	}
}

var digits = regexp.MustCompile(`^[0-9]{1,20}$`)

// slowDirectives is the same in other words: the standard library's query parser,
// big numbers, no state.
func slowDirectives(query string) (hls.Directives, bool) {
	values := map[string][]string{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		n, err := url.QueryUnescape(name)
		if err != nil {
			continue
		}
		v, err := url.QueryUnescape(value)
		if err != nil || strings.Contains(value, "+") {
			v = "malformed"
		}
		values[n] = append(values[n], v)
	}
	number := func(name string, limit int64) (int64, bool) {
		var n int64
		for i, v := range values[name] {
			b, ok := new(big.Int).SetString(v, 10)
			if !ok || !digits.MatchString(v) || b.Cmp(big.NewInt(limit)) > 0 || i > 0 && b.Int64() != n {
				return 0, false
			}
			n = b.Int64()
		}
		return n, true
	}
	msn, ok1 := number("_HLS_msn", math.MaxInt64)
	part, ok2 := number("_HLS_part", math.MaxInt32)
	blocks, hasPart := values["_HLS_msn"] != nil, values["_HLS_part"] != nil
	if !ok1 || !ok2 || hasPart && !blocks {
		return hls.Directives{}, false
	}
	var d hls.Directives
	if blocks {
		d = blocking(msn, hls.Whole, 0)
	}
	if hasPart {
		d.At.Part = int(part)
	}
	for _, v := range values["_HLS_skip"] {
		if v != values["_HLS_skip"][0] || v != "YES" && v != "v2" {
			return hls.Directives{}, false
		}
		d.Skip = map[string]hls.SkipMode{"YES": hls.SkipSegments, "v2": hls.SkipDateRanges}[v]
	}
	return d, true
}

func FuzzParseDirectives(f *testing.F) {
	for _, query := range []string{
		"", "_HLS_msn=931000000&_HLS_part=3&_HLS_skip=YES", "_HLS_skip=v2", "%5FHLS_msn=1", "_HLS_msn=+1", "_HLS_part=1",
		"_HLS_msn=1&_HLS_msn=1", "_HLS_msn=1&_HLS_msn=01", "_HLS_msn=%31&a=%zz", "_HLS_msn=" + strconv.FormatUint(math.MaxUint64, 10),
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, err := hls.ParseDirectives(query)
		want, ok := slowDirectives(query)
		if ok != (err == nil) {
			t.Fatalf("error %v, the reference says %v", err, ok)
		}
		if err != nil && !errors.Is(err, hls.ErrDirectives) {
			t.Fatalf("error %v", err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("(-reference +got):\n%s", d)
		}
	})
}

func TestParseDirectivesDoesNotAllocate(t *testing.T) {
	const query = "CMCD=sid%3D%22abc%22&_HLS_msn=931000000&_HLS_part=3&_HLS_skip=YES&v=1"
	if n := testing.AllocsPerRun(10, func() { _, _ = hls.ParseDirectives(query) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParseDirectives(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := hls.ParseDirectives("_HLS_msn=931000000&_HLS_part=3&_HLS_skip=YES"); err != nil {
			b.Fatal(err)
		}
	}
}
