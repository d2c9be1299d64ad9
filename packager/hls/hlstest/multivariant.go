package hlstest

import (
	"regexp"
	"slices"
	"strings"

	"longwave/packager/hls"
)

// CheckMultivariant judges one multivariant playlist by itself.
func CheckMultivariant(b []byte) []Violation {
	t, ok := newText(b)
	if !ok {
		return t.found
	}
	t.syntax(inMultivariant)
	t.version()
	t.variantURIs()
	t.variants()
	t.groups()
	t.steering()
	t.sessionData()
	if _, err := hls.ParseMultivariant(b); err != nil && len(t.found) == 0 {
		t.add("unreadable", 0, "%v", err)
	}
	return t.sorted()
}

func (t *text) variantURIs() {
	var open *entry // EXT-X-STREAM-INF whose URI is to come
	seen := false
	for i := range t.entries {
		e := &t.entries[i]
		switch e.tag {
		case "EXT-X-STREAM-INF":
			if open != nil {
				t.add("variant-uri", open.line, "no URI behind it")
			}
			open, seen = e, true
		case "":
			if open == nil {
				t.add("variant-uri", e.line, "%s has no EXT-X-STREAM-INF", e.value)
			}
			open = nil
		}
	}
	if open != nil {
		t.add("variant-uri", open.line, "no URI behind it")
	}
	if !seen {
		t.add("variant-missing", 0, "no EXT-X-STREAM-INF")
	}
}

var reStableID = regexp.MustCompile(`^[A-Za-z0-9+/=._-]+$`)

func (t *text) variants() {
	pathways := map[string][]string{} // the stable IDs of each
	var order []string
	t.all("EXT-X-STREAM-INF", func(e *entry) {
		t.variant(e)
		pathway, ok := e.attr("PATHWAY-ID")
		if !ok {
			pathway = "."
		}
		if pathways[pathway] == nil {
			order = append(order, pathway)
		}
		id, _ := e.attr("STABLE-VARIANT-ID")
		pathways[pathway] = append(pathways[pathway], id)
	})
	for _, ids := range pathways {
		slices.Sort(ids)
	}
	for _, p := range order {
		if !slices.Equal(pathways[p], pathways[order[0]]) {
			t.add("stable-id-pathways", 0, "%s has %q, %s has %q", p, pathways[p], order[0], pathways[order[0]])
		}
	}
}

func (t *text) variant(e *entry) {
	peak, _ := e.attr("BANDWIDTH")
	average, ok := e.attr("AVERAGE-BANDWIDTH")
	switch {
	case !ok:
		t.add("average-bandwidth-missing", e.line, "no AVERAGE-BANDWIDTH")
	case integer(average) > integer(peak):
		t.add("bandwidth", e.line, "%s on average, %s at most", average, peak)
	}
	if peak != "" && integer(peak) == 0 {
		t.add("bandwidth", e.line, "BANDWIDTH is zero")
	}
	codecs, ok := e.attr("CODECS")
	if !ok {
		t.add("codecs-missing", e.line, "no CODECS")
	}
	for c := range strings.SplitSeq(codecs, ",") {
		if strings.EqualFold(c, hls.CodecOpus) && c != hls.CodecOpus {
			t.add("codecs-opus", e.line, "%s", c)
		}
	}
	if id, ok := e.attr("STABLE-VARIANT-ID"); ok && !reStableID.MatchString(id) {
		t.add("stable-id", e.line, "%s", id)
	}
}

// groups checks that the groups of EXT-X-MEDIA which variants name are there.
func (t *text) groups() {
	have := map[string]bool{}
	t.all("EXT-X-MEDIA", func(e *entry) {
		kind, _ := e.attr("TYPE")
		group, _ := e.attr("GROUP-ID")
		have[kind+" "+group] = true
		if id, ok := e.attr("STABLE-RENDITION-ID"); ok && !reStableID.MatchString(id) {
			t.add("stable-id", e.line, "%s", id)
		}
	})
	t.all("EXT-X-STREAM-INF", func(e *entry) {
		for _, kind := range []string{"AUDIO", "VIDEO", "SUBTITLES"} {
			if group, ok := e.attr(kind); ok && !have[kind+" "+group] {
				t.add("rendition-group", e.line, "no %s group %s", kind, group)
			}
		}
	})
}

func (t *text) steering() {
	e := t.first("EXT-X-CONTENT-STEERING")
	if e == nil {
		return
	}
	want, ok := e.attr("PATHWAY-ID")
	if !ok {
		return
	}
	found := false
	t.all("EXT-X-STREAM-INF", func(e *entry) {
		id, ok := e.attr("PATHWAY-ID")
		found = found || id == want || !ok && want == "."
	})
	if !found {
		t.add("steering-pathway", e.line, "no variant has the pathway %s", want)
	}
}

func (t *text) sessionData() {
	seen := map[[2]string]bool{}
	t.all("EXT-X-SESSION-DATA", func(e *entry) {
		_, value := e.attr("VALUE")
		_, uri := e.attr("URI")
		if value == uri {
			t.add("session-data", e.line, "VALUE and URI: both or none")
		}
		id, _ := e.attr("DATA-ID")
		language, _ := e.attr("LANGUAGE")
		if seen[[2]string{id, language}] {
			t.add("session-data-repeated", e.line, "%s again", id)
		}
		seen[[2]string{id, language}] = true
	})
}
