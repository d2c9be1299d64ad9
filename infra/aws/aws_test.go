package aws_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/packager"
)

// TestCacheRules: the distributions keep objects for as long as the origin says.
func TestCacheRules(t *testing.T) {
	want := map[string]string{"blocking": packager.CacheBlocking}
	for name, kind := range map[string]packager.Kind{
		"multivariant": packager.Multivariant, "media": packager.Media, "init": packager.Init,
		"segment": packager.Segment, "part": packager.Part, "state": packager.State,
	} {
		want[name] = packager.Key{Kind: kind}.CacheControl()
	}
	b, err := os.ReadFile("cache.json")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cache.json (-origin +aws):\n%s", diff)
	}
}
