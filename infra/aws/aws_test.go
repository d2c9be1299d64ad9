package aws_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"longwave/packager"
)

// template is what the tests look at in a template of CloudFormation.
type template struct {
	Parameters map[string]struct{ Default any }
	Resources  map[string]struct {
		Properties struct {
			DistributionConfig struct {
				Origins []struct {
					ConnectionAttempts int
					CustomOriginConfig struct{ OriginReadTimeout int } // seconds
				}
			}
		}
	}
}

// TestLongestWait: CloudFront waits for a blocked request as long as the origin holds it
// (rfc8216bis section 6.2.5.2), and not much longer.
func TestLongestWait(t *testing.T) {
	var tmpl template
	readJSON(t, "template.json", &tmpl)
	longest := int((3 * packager.TargetDuration).Seconds())
	for _, way := range []string{"A", "B"} {
		origins := tmpl.Resources["Distribution"+way].Properties.DistributionConfig.Origins
		if len(origins) == 0 {
			t.Fatalf("way %s has no origin", way)
		}
		o := origins[0]
		if got := o.CustomOriginConfig.OriginReadTimeout; got <= longest+1 || got*o.ConnectionAttempts > longest+4 {
			t.Errorf("way %s waits %d times %d s for an answer that may take %d s", way, o.ConnectionAttempts, got, longest)
		}
	}
}

// TestReadme: it names every parameter, with its default.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(readme)
	_, table, _ := strings.Cut(text, "| parameter |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, file := range []string{"template.json", "store.json"} {
		var tmpl template
		readJSON(t, file, &tmpl)
		for name, p := range tmpl.Parameters {
			row := rowWith(table, name)
			if file == "store.json" && name == "Prefix" {
				row = rowWith(table, "PrefixA")
			}
			if way, isB := strings.CutSuffix(name, "B"); isB && row == "" {
				row = rowWith(table, way+"A") // "and those of B"
			}
			if row == "" {
				t.Errorf("%s: the table of parameters has no %s", file, name)
			}
			if want := thousands(p.Default); want != "" && !strings.Contains(row, want) {
				t.Errorf("%s: the default of %s is %s, the table says %s", file, name, want, row)
			}
		}
	}
}

func rowWith(table, name string) string {
	for row := range strings.Lines(table) {
		if strings.Contains(row, "`"+name+"`") {
			return row
		}
	}
	return ""
}

// thousands writes a default as people do: 6,000.
func thousands(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		if v >= 1000 {
			return fmt.Sprintf("%d,%03d", int(v)/1000, int(v)%1000)
		}
		return fmt.Sprint(v)
	}
	return ""
}

func readJSON(t *testing.T, file string, to any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, to); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
