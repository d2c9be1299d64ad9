package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "longwave.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		return c, err
	}
	return c, c.Check()
}

func TestConfig(t *testing.T) {
	c, err := load(t, `
listen: "127.0.0.1:9000"
store:
  keep: 24h
  keep_bytes: 1.5GB
stations:
  - name: news
    title: News
    profile: fast
    renditions: [opus-32, aac-64-mono]
`)
	if err != nil {
		t.Fatal(err)
	}
	if c.Public != "http://localhost:9000" || c.Store.Keep != 24*time.Hour || c.Store.KeepBytes != 1_500_000_000 ||
		c.Metrics != "127.0.0.1:9464" || len(c.Stations) != 1 || c.Stations[0].Profile != "fast" {
		t.Errorf("got %+v", c)
	}
}

func TestConfigErrors(t *testing.T) {
	for text, want := range map[string]string{
		"listne: x":                                    `1:1: unknown key "listne": did you mean "listen"?`,
		"store:\n  kep_bytes: 3":                       `2:3: unknown key "kep_bytes": did you mean "keep_bytes"?`,
		"zzzzzzzzzz: 1":                                "the README lists the keys",
		"listen: nowhere":                              `listen "nowhere": write host:port`,
		"listen: [":                                    "longwave.yaml:1:",
		"store:\n  keep_bytes: lots":                   `"lots" is not a size for keep_bytes`,
		"store: {kind: tape}":                          `store.kind "tape": use disk or s3`,
		"store: {kind: s3}":                            "store.s3.bucket is missing",
		"limits: {speakers: many}":                     `1:20: "many" is not a whole number`,
		"store: {keep: long}":                          `"long" is not a length of time`,
		"stations: [{name: Talk}]":                     `station name "Talk"`,
		"stations: [{name: whip}]":                     `station name "whip"`,
		"stations: [{name: a}, {name: a}]":             `station "a" stands twice`,
		"stations: [{name: a, profile: x}]":            `unknown profile "x": use one of fast, low, calm, plain`,
		"stations: [{name: a, renditions: [mp3-128]}]": `rendition "mp3-128": write codec-kbit/s`,
		"stations: [{name: a, renditions: [opus-48]}]": "renditions hold no aac",
		"public: example.org":                          "write the whole address",
		"store: {spool: -1h}":                          "cannot be negative",
		"log: {format: xml}":                           "use text or json",
	} {
		_, err := load(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error has more than one line: %v", text, err)
		}
	}
}

func TestRTCConfig(t *testing.T) {
	c, err := load(t, "rtc: {public: ['[2001:db8::7]', 203.0.113.7], ice_servers: [{url: 'stun:[2001:db8::1]:3478'}]}")
	if err != nil || strings.Join(c.RTC.Public, " ") != "2001:db8::7 203.0.113.7" {
		t.Errorf("got %q, %v", c.RTC.Public, err)
	}
	for text, want := range map[string]string{
		"rtc: {listen: '8189'}":                                   `rtc.listen "8189": write host:port`,
		"rtc: {public: [studio.example.org]}":                     "write an IP address that browsers can reach",
		"rtc: {public: [0.0.0.0]}":                                "write an IP address that browsers can reach",
		"rtc: {public: ['fe80::1%eth0']}":                         "write an IP address that browsers can reach",
		"rtc: {ice_servers: [{url: stun.example.org}]}":           "write it as in stun:stun.example.org:3478",
		"rtc: {ice_servers: [{url: 'turn://a', username: b}]}":    "write it as in stun:stun.example.org:3478",
		"rtc: {ice_servers: [{url: 'turn:a?transport=sctp'}]}":    "write it as in stun:stun.example.org:3478",
		"rtc: {ice_servers: [{url: 'turn:a:3478', username: b}]}": "a TURN server needs username and credential_file",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// TestTwins: all nodes have the same list, and each is in it.
func TestTwins(t *testing.T) {
	t.Parallel()
	const a, b = "https://a.example.org", "https://b.example.org"
	for _, tt := range []struct {
		twins []string
		wrong string
	}{
		{nil, ""},
		{[]string{a, b + "/"}, ""},
		{[]string{a}, ""},
		{[]string{b}, "does not name this node"},
		{[]string{a, b, b}, "stands twice"},
		{[]string{a, "b.example.org"}, "write the address"},
		{[]string{a, "ftp://b.example.org"}, "write the address"},
		{[]string{a, b + "/studio"}, "write the address"},
		{[]string{a, "https://user@b.example.org"}, "write the address"},
		{[]string{a, "https://b.example.org; script-src *"}, "write the address"},
		{[]string{a, "https://*.example.org"}, "write the address"},
	} {
		c := Default()
		c.Public, c.TLS.Mode, c.Twins = a, "off", tt.twins
		c.Listen = ":8080"
		err := c.Check()
		var others []string
		if err == nil {
			others, err = c.Others()
		}
		if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
			t.Errorf("%q: %v, want %q", tt.twins, err, tt.wrong)
		}
		if err == nil && len(tt.twins) == 2 && !slices.Equal(others, []string{b}) {
			t.Errorf("%q: the others are %q", tt.twins, others)
		}
	}
}
