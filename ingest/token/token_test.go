package token_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"longwave/ingest/token"
)

var now = time.Date(2026, 11, 20, 20, 0, 0, 0, time.UTC)

func signer(t *testing.T, secret string) *token.Signer {
	t.Helper()
	s, err := token.NewSigner([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	s := signer(t, strings.Repeat("k", 32))
	for _, want := range []token.Token{
		{Station: "talk", Role: token.Speaker, Name: "Studio 1", Expires: now.Add(6 * time.Hour)},
		{Station: "talk", Role: token.Host},
		{Station: "t", Role: token.Origin, Name: "zwölf Zeichen, ü und"},
		{Station: "talk", Role: token.Speaker, Name: "OBS", Music: true, Feed: true, Group: "main", Priority: token.MaxPriority},
		{Station: "talk", Role: token.Speaker, Group: "main"},
	} {
		text, err := s.Sign(want)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 64 {
			t.Errorf("%q has %d characters, 64 are allowed", text, len(text))
		}
		got, err := s.Parse(text, now)
		if err != nil {
			t.Fatal(err)
		}
		want.ID = got.ID
		if got != want || len(got.ID) != 8 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestTooLong(t *testing.T) {
	_, err := signer(t, strings.Repeat("k", 32)).Sign(token.Token{Station: "talk", Role: token.Speaker, Name: strings.Repeat("n", 22)})
	if err == nil || !strings.Contains(err.Error(), "1 bytes too long") {
		t.Errorf("got %v", err)
	}
}

func TestPriority(t *testing.T) {
	s := signer(t, strings.Repeat("k", 32))
	for _, bad := range []token.Token{
		{Station: "talk", Role: token.Speaker, Group: "g", Priority: token.MaxPriority + 1},
		{Station: "talk", Role: token.Speaker, Group: "g", Priority: -1},
		{Station: "talk", Role: token.Speaker, Priority: 1},
	} {
		if _, err := s.Sign(bad); err == nil || !strings.Contains(err.Error(), "priority") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestRefused(t *testing.T) {
	s := signer(t, strings.Repeat("k", 32))
	text, err := s.Sign(token.Token{Station: "talk", Role: token.Speaker, Expires: now})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Parse(text, now); !errors.Is(err, token.ErrExpired) || got.Station != "talk" {
		t.Errorf("at its expiry: %+v, %v", got, err)
	}
	before := now.Add(-time.Second)
	if _, err := s.Parse(text, before); err != nil {
		t.Errorf("before its expiry: %v", err)
	}
	other := signer(t, strings.Repeat("x", 32))
	if _, err := other.Parse(text, before); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("another secret: %v", err)
	}
	for i := range text {
		c := byte('A')
		if text[i] == c {
			c = 'B'
		}
		forged := text[:i] + string(c) + text[i+1:]
		if _, err := s.Parse(forged, before); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("character %d changed: %v", i, err)
		}
	}
	for _, s2 := range []string{"", "x", text + "A", text[1:], strings.Repeat("A", 64), strings.Repeat("A", 1<<16)} {
		if _, err := s.Parse(s2, before); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%.20q: %v", s2, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	s, err := token.NewSigner([]byte(strings.Repeat("k", 32)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("EAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := s.Parse(text, now); err == nil {
			t.Errorf("%q was taken as %+v", text, got)
		}
	})
}
