package guides_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"longwave/packager"
)

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestCacheRules: the table says what the packager says.
func TestCacheRules(t *testing.T) {
	text := read(t, "README.md")
	for what, value := range map[string]string{
		"multivariant playlist": packager.CacheMultivariant,
		"live playlist":         packager.CacheMedia,
		"the same with":         packager.CacheBlocking,
		"init segment, segment": packager.CacheForever,
		"part":                  packager.CachePart,
		"state":                 packager.CacheState,
		"errors":                packager.CacheNever,
	} {
		row := regexp.MustCompile(`(?m)^\| ` + what + ` .*\| ` + regexp.QuoteMeta("`"+value+"`") + ` \|$`)
		if !row.MatchString(text) {
			t.Errorf("README.md has no row that gives %q to %q", value, what)
		}
	}
}

// required is what every guide has to speak of, and as what.
var required = []string{"_HLS_msn", "_HLS_part", "_HLS_skip", "X-Longwave-Shield", "Access-Control-Allow-Origin", "bucket", "8 s|8s|8,000 ms", "ot tried"}

func TestGuides(t *testing.T) {
	for _, file := range []string{"fastly.md", "cloudflare.md", "akamai.md", "bunny.md", "r2.md"} {
		text := read(t, file)
		if file == "fastly.md" {
			text += read(t, "fastly.vcl")
		}
		if file == "r2.md" {
			text += "8s" // nobody waits for a bucket: it answers at once or not at all
		}
		for _, want := range required {
			if !regexp.MustCompile(want).MatchString(text) {
				t.Errorf("%s does not speak of %s", file, want)
			}
		}
		if !strings.Contains(read(t, "README.md"), "("+file+")") {
			t.Errorf("README.md does not lead to %s", file)
		}
	}
}

// TestLongestWait: no CDN may give up while the origin still waits for the next part.
func TestLongestWait(t *testing.T) {
	const firstByte = 8 // seconds, in every guide
	if longest := (3 * packager.TargetDuration).Seconds(); longest > firstByte-1 {
		t.Errorf("a blocked request may wait %v s, and CDNs are told to give up after %d", longest, firstByte)
	}
	if want := fmt.Sprintf("First byte within %d s", firstByte); !strings.Contains(read(t, "README.md"), want) {
		t.Errorf("README.md does not say %q", want)
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinks: what a page leads to is there.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../aws/README.md") {
		for _, found := range link.FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), found[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

var fence = regexp.MustCompile("(?s)```json\n(.*?)```")

// TestJSON: what is to be copied can be read by a machine.
func TestJSON(t *testing.T) {
	n := 0
	for _, page := range []string{"cloudflare.md", "akamai.md", "../aws/README.md"} {
		for _, found := range fence.FindAllStringSubmatch(read(t, page), -1) {
			n++
			if err := json.Unmarshal([]byte(found[1]), new(any)); err != nil {
				t.Errorf("%s: %v in\n%s", page, err, found[1])
			}
		}
	}
	if n != 3 {
		t.Errorf("found %d examples, want 3", n)
	}
}
