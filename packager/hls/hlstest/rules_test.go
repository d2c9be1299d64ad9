package hlstest_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"longwave/packager/hls/hlstest"
)

// Every rule is broken by something that breaks it alone, and nothing in the corpus
// breaks a rule that is not in the table.
func TestEveryRuleIsBroken(t *testing.T) {
	var broken []string
	for _, file := range slices.Concat(glob(t, "testdata/broken/*.m3u8"), glob(t, "testdata/broken/*.txtar")) {
		broken = append(broken, strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)))
	}
	for name := range brokenBytes(t) {
		broken = append(broken, name)
	}
	for name := range brokenAnswers {
		broken = append(broken, name)
	}
	for name := range brokenHTTP {
		broken = append(broken, name)
	}
	var rules []string
	for _, r := range hlstest.Rules() {
		rules = append(rules, r.Name)
	}
	slices.Sort(broken)
	slices.Sort(rules)
	if !slices.Equal(rules, broken) {
		t.Errorf("rules and what breaks them differ:\n%q\n%q", rules, broken)
	}
}

func TestRules(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	section := regexp.MustCompile(`^(-|((A )?\d+(\.\d+)*|B\.1)(, ((A )?\d+(\.\d+)*|B\.1))*)$`)
	last := hlstest.Any
	for _, r := range hlstest.Rules() {
		if !name.MatchString(r.Name) || !section.MatchString(r.Section) || r.Says == "" || strings.HasSuffix(r.Says, ".") {
			t.Errorf("%+v", r)
		}
		if r.Scope < last || r.Scope > hlstest.HTTP || r.Severity != hlstest.Must && r.Severity != hlstest.Should {
			t.Errorf("%s: %v, %v", r.Name, r.Scope, r.Severity)
		}
		if r.Section == "-" && r.Severity == hlstest.Must {
			t.Errorf("%s: a MUST that no section says", r.Name)
		}
		last = r.Scope
	}
	hlstest.Rules()[0].Name = "changed"
	if hlstest.Rules()[0].Name == "changed" {
		t.Error("the table can be changed")
	}
}

func TestViolationString(t *testing.T) {
	found := hlstest.Check(read(t, "testdata/broken/part-target.m3u8"))
	const want = "part-target: line 33: 320.01ms, the target is 320ms (MUST, section 4.4.4.9: a part is no longer than PART-TARGET)"
	if len(found) != 1 || found[0].String() != want {
		t.Errorf("got %v\nwant %s", found, want)
	}
}
