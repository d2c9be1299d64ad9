package packager_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/packager"
	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// runOn packages a short programme for listeners on some pathways.
func runOn(t *testing.T, ways []packager.Pathway, steering string) (*sinkLog, *outlet) {
	t.Helper()
	return runSteered(t, ways, steering, nil)
}

// runSteered is runOn for listeners who are steered.
func runSteered(t *testing.T, ways []packager.Pathway, steering string, best func(bool) []string) (*sinkLog, *outlet) {
	t.Helper()
	sink, shop := newSinkLog(t), &outlet{}
	p, err := packager.ParseProfile("low")
	if err != nil {
		t.Fatal(err)
	}
	pk, err := packager.New(packager.Options{
		Station: "talk", Profile: p, Start: start, Live: sink, Outlets: []packager.Outlet{shop},
		Pathways: ways, Steering: steering, Best: best, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := pk.Run(t.Context(), &tapeSource{pos: start, samples: tone(2)}); err != nil {
		t.Fatal(err)
	}
	return sink, shop
}

// TestPathways: the origin's lists name the pathways with parts and a store's the plain
// ones, and in both every variant of the first pathway comes before the next pathway's.
func TestPathways(t *testing.T) {
	sink, shop := runOn(t, []packager.Pathway{
		{ID: "cdn-a", URL: "https://a.example.org"},
		{ID: "bucket-a", URL: "https://s3.example.org/media", Plain: true},
		{ID: "cdn-b", URL: "https://b.example.org:8443"},
		{ID: "bucket-b", URL: "https://r2.example.org", Plain: true},
	}, "")
	for _, name := range []string{"index", "opus"} {
		live, plain := sink.objects["talk/"+name+".m3u8"], shop.kept["talk/"+name+".m3u8"]
		golden(t, "pathways-"+name, live)
		report(t, name, hlstest.CheckMultivariant(live))
		report(t, name, hlstest.CheckMultivariant(plain))
		if diff := cmp.Diff(copies(t, live), copies(t, plain)); diff != "" {
			t.Errorf("%s: the variants of origin and store differ:\n%s", name, diff)
		}
	}
	golden(t, "pathways-store", shop.kept["talk/index.m3u8"])
}

// copies returns the variants of a list without what sets their pathways apart, having
// checked that each pathway has the same ones in the same order.
func copies(t *testing.T, text []byte) []hls.Variant {
	t.Helper()
	m, err := hls.ParseMultivariant(text)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	by := map[string][]hls.Variant{}
	for _, v := range m.Variants {
		way := v.PathwayID
		if len(by[way]) == 0 {
			order = append(order, way)
		}
		v.PathwayID, v.URI = "", v.URI[strings.Index(v.URI, "/talk/"):]
		by[way] = append(by[way], v)
	}
	if m.Steering.PathwayID != order[0] || len(order) != 2 {
		t.Errorf("pathways %q, the first of steering is %q", order, m.Steering.PathwayID)
	}
	if diff := cmp.Diff(by[order[0]], by[order[1]]); diff != "" {
		t.Errorf("the pathways differ:\n%s", diff)
	}
	return by[order[0]]
}

// TestPathwaysOfOneKind: a kind without pathways has relative URIs as ever, one with a
// single pathway no steering, unless it is asked for.
func TestPathwaysOfOneKind(t *testing.T) {
	one := []packager.Pathway{{ID: "cdn-a", URL: "https://a.example.org", Plain: true}}
	sink, shop := runOn(t, one, "")
	golden(t, "index", sink.objects["talk/index.m3u8"])
	if text := string(shop.kept["talk/index.m3u8"]); strings.Contains(text, "STEERING") || !strings.Contains(text, "\nhttps://a.example.org/talk/aac-48/live.m3u8\n") {
		t.Errorf("the store's list:\n%s", text)
	}
	_, shop = runOn(t, one, "https://steer.example.org/talk.json")
	want := `#EXT-X-CONTENT-STEERING:SERVER-URI="https://steer.example.org/talk.json",PATHWAY-ID="cdn-a"`
	if text := string(shop.kept["talk/index.m3u8"]); !strings.Contains(text, want) {
		t.Errorf("the store's list:\n%s", text)
	}
}

// TestSteered: the lists begin with the pathways that listeners are steered to, and keep
// the others as a way out.
func TestSteered(t *testing.T) {
	ways := []packager.Pathway{
		{ID: "a", URL: "https://a.example.org"},
		{ID: "b", URL: "https://b.example.org"},
		{ID: "c", URL: "https://c.example.org"},
		{ID: "x", URL: "https://x.example.org", Plain: true},
		{ID: "y", URL: "https://y.example.org", Plain: true},
	}
	asked := 0
	sink, shop := runSteered(t, ways, "", func(plain bool) []string {
		asked++
		switch {
		case plain:
			return []string{"y", "nobody"}
		case asked < 4:
			return []string{"a", "b", "c"} // as they stand
		}
		return []string{"c", "b"}
	})
	for text, want := range map[string]string{
		string(sink.objects["talk/index.m3u8"]): "c c b b a a",
		string(shop.kept["talk/index.m3u8"]):    "y y x x",
		string(shop.kept["talk/opus.m3u8"]):     "y y y y x x x x",
	} {
		m, err := hls.ParseMultivariant([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range m.Variants {
			got = append(got, v.PathwayID)
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("pathways (-want +got):\n%s\n%s", diff, text)
		}
		if m.Steering.PathwayID != got[0] {
			t.Errorf("steering begins at %q, the list with %q", m.Steering.PathwayID, got[0])
		}
	}
}

func TestCheckPathways(t *testing.T) {
	good := packager.Pathway{ID: "a", URL: "https://a.example.org"}
	for _, c := range []struct {
		name string
		list []packager.Pathway
		want string // in the error; none when empty
	}{
		{"none", nil, ""},
		{"one address, two kinds", []packager.Pathway{good, {ID: "b", URL: good.URL, Plain: true}}, ""},
		{"below a folder", []packager.Pathway{{ID: "A.b-c_9", URL: "http://127.0.0.1:8080/x/y"}}, ""},
		{"no id", []packager.Pathway{{URL: good.URL}}, "pathway id"},
		{"default id", []packager.Pathway{{ID: ".", URL: good.URL}}, "pathway id"},
		{"id with a quote", []packager.Pathway{{ID: `a"b`, URL: good.URL}}, "pathway id"},
		{"long id", []packager.Pathway{{ID: strings.Repeat("a", 64), URL: good.URL}}, "pathway id"},
		{"id twice", []packager.Pathway{good, {ID: "a", URL: "https://b.example.org", Plain: true}}, "a stands twice"},
		{"address twice", []packager.Pathway{good, {ID: "b", URL: good.URL}}, "of another"},
		{"relative", []packager.Pathway{{ID: "a", URL: "/cdn"}}, "whole address"},
		{"no scheme", []packager.Pathway{{ID: "a", URL: "a.example.org"}}, "whole address"},
		{"other scheme", []packager.Pathway{{ID: "a", URL: "ftp://a.example.org"}}, "whole address"},
		{"slash at the end", []packager.Pathway{{ID: "a", URL: good.URL + "/"}}, "whole address"},
		{"query", []packager.Pathway{{ID: "a", URL: good.URL + "/?x"}}, "whole address"},
		{"line break", []packager.Pathway{{ID: "a", URL: good.URL + "/a\nb"}}, "whole address"},
		{"blank", []packager.Pathway{{ID: "a", URL: good.URL + "/a b"}}, "whole address"},
		{"password", []packager.Pathway{{ID: "a", URL: "https://u:p@a.example.org"}}, "whole address"},
	} {
		err := packager.CheckPathways(c.list)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
