package titles_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"longwave/ingest/titles"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Grüße", "Grüße"},
		{"Gr\xfc\xdfe", "Grüße"},
		{" a\r\nb\t\x1b[0m ", "a  b [0m"},
		{strings.Repeat("ü", 400), strings.Repeat("ü", 250)},
		{strings.Repeat("x", 499) + " y", strings.Repeat("x", 499)},
		{"x" + strings.Repeat("ü", 400), "x" + strings.Repeat("ü", 249)},
		{"\u202eevil", "evil"},
		{"\ufffd", ""},
		{"", ""},
	} {
		if got := titles.Clean(c.in); got != c.want {
			t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestLatin1(t *testing.T) {
	if got := titles.Latin1("Gr\xfc\xdfe"); got != "Grüße" {
		t.Errorf("Latin1 = %q", got)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("Gr\xfc\xdfe\r\nSet-Cookie: x")
	f.Add(strings.Repeat("\xf0\x9f\x8e\xb5", 200))
	f.Add("\xff\xfe" + strings.Repeat("é", 300))
	f.Fuzz(func(t *testing.T, s string) {
		got := titles.Clean(s)
		if !utf8.ValidString(got) || len(got) > titles.Most || strings.ContainsFunc(got, unicode.IsControl) || strings.TrimSpace(got) != got {
			t.Errorf("Clean(%q) = %q", s, got)
		}
		if again := titles.Clean(got); again != got {
			t.Errorf("Clean(%q) = %q", got, again)
		}
	})
}
