package packager_test

import (
	"regexp"
	"testing"

	"longwave/packager"
)

// TestCacheRules: each kind of key has one rule, whose pattern takes its keys and those
// of no other kind.
func TestCacheRules(t *testing.T) {
	keys := map[packager.Kind]packager.Key{
		packager.Multivariant: {Station: "talk", Name: "index"},
		packager.Media:        {Station: "talk", Rendition: "aac-48"},
		packager.Init:         {Station: "talk", Rendition: "aac-48", Name: "0a1b"},
		packager.Segment:      {Station: "talk", Rendition: "aac-48", MSN: 929_000_001},
		packager.Part:         {Station: "talk", Rendition: "aac-48", MSN: 929_000_001, Part: 5},
		packager.State:        {Station: "talk", Name: "status"},
	}
	rules := packager.CacheRules()
	if len(rules) != len(keys) {
		t.Fatalf("%d rules for %d kinds", len(rules), len(keys))
	}
	for kind, key := range keys {
		key.Kind = kind
		taken := 0
		for _, r := range rules {
			hit := regexp.MustCompile(r.Path).MatchString("/" + key.String())
			if hit != (r.Kind == kind) {
				t.Errorf("%s: the rule of %s says %v", key, r.Name, hit)
			}
			if hit {
				taken++
				if got := key.CacheControl(); got != r.Control {
					t.Errorf("%s: Cache-Control %q, the rule says %q", key, got, r.Control)
				}
			}
		}
		if taken != 1 {
			t.Errorf("%s: %d rules", key, taken)
		}
	}
	if got := (packager.Key{}).CacheControl(); got != packager.CacheNever {
		t.Errorf("no kind: %q", got)
	}
}
