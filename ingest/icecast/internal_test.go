package icecast

import "testing"

func TestJoined(t *testing.T) {
	for in, want := range map[string]string{
		"Ada - Sound": "Ada - Sound", "- Sound": "Sound", " - Sound": "Sound", "Ada - ": "Ada", "Ada -": "Ada",
		" - ": "", "-": "", "": "", "Sound": "Sound", "-1 - Minus": "-1 - Minus", "Ada - Sound-": "Ada - Sound-",
	} {
		if got := joined(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ in, charset, want string }{
		{"Grüße", "", "Grüße"},
		{"Gr\xfc\xdfe", "", "Grüße"},
		{"Gr\xfc\xdfe", "Latin1", "Grüße"},
		{"Grüße", "utf-8", "Grüße"},
		{"Gr\xc3\xbc", "ISO-8859-1", "GrÃ¼"},
		{" a\r\nb ", "", "a  b"},
	} {
		if got := text(c.in, c.charset); got != c.want {
			t.Errorf("text(%q, %q) = %q, want %q", c.in, c.charset, got, c.want)
		}
	}
}
