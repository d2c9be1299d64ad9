package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"longwave/ingest/feed"
	"longwave/ingest/whip"
)

// RTC is about browsers' microphones and OBS by WHIP: WebRTC.
type RTC struct {
	// Listen is the UDP port for the sound of browsers, and the TCP port of the same
	// number for networks that let no UDP through; off takes none. Default ":8189".
	Listen string `yaml:"listen"`
	// Public are the IP addresses under which browsers reach that port when they are not
	// this machine's own (behind NAT, in a cloud), the best first. Those of a family,
	// IPv4 or IPv6, replace the machine's own of that family. Default: the machine's own.
	Public []string `yaml:"public"`
	// ICEServers are STUN and TURN servers that browsers are told. Default: none.
	ICEServers []ICEServer `yaml:"ice_servers"`
}

// ICEServer is a STUN or TURN server (RFC 7064, RFC 7065).
type ICEServer struct {
	// URL as in turn:turn.example.org:3478?transport=udp.
	URL string `yaml:"url"`
	// Username for TURN. No default.
	Username string `yaml:"username"`
	// CredentialFile holds the password for TURN. No default.
	CredentialFile string `yaml:"credential_file"`
}

// RTMP is about OBS and hardware that sends RTMP.
type RTMP struct {
	// Listen is the TCP port; off takes none. Default ":1935".
	Listen string `yaml:"listen"`
}

// SRT is about encoders that send SRT.
type SRT struct {
	// Listen is the UDP port; off takes none. Default ":8890".
	Listen string `yaml:"listen"`
	// PassphraseFile holds a passphrase of 10 to 79 characters that every sender must
	// use. Default: none; the token in the stream id is asked for in any case.
	PassphraseFile string `yaml:"passphrase_file"`
}

// Feeds says when another feed of a group is taken.
type Feeds struct {
	// Loss is for how long nothing but concealment may come. Default 500ms.
	Loss time.Duration `yaml:"loss"`
	// Silence is for how long a feed may be silent while another is not; 0 is for ever.
	// Default 15s.
	Silence time.Duration `yaml:"silence"`
	// SilenceBelow is the loudness that counts as silence, in LUFS. Default -55.
	SilenceBelow float64 `yaml:"silence_below"`
	// Return is for how long the better feed must be well again. Default 5s.
	Return time.Duration `yaml:"return"`
}

func defaultFeeds() *Feeds {
	return &Feeds{Loss: feed.DefaultLoss, Silence: feed.DefaultSilence, SilenceBelow: feed.DefaultSilenceLUFS, Return: feed.DefaultHoldOff}
}

// UnmarshalYAML implements yaml.InterfaceUnmarshaler: what is not named has its default.
func (f *Feeds) UnmarshalYAML(read func(any) error) error {
	type plain Feeds
	p := plain(*defaultFeeds())
	err := read(&p)
	*f = Feeds(p)
	return err
}

// Options are the same for package feed, where zero is the default.
func (f *Feeds) Options() feed.Options {
	o := feed.Options{Loss: f.Loss, Silence: f.Silence, SilenceLUFS: f.SilenceBelow, HoldOff: f.Return}
	if o.Silence == 0 {
		o.Silence = -1
	}
	return o
}

func (f *Feeds) check() error {
	if f.Loss < 20*time.Millisecond || f.Silence < 0 || f.Return < 0 || f.SilenceBelow > -20 || f.SilenceBelow < -100 {
		return errors.New("feeds: loss is at least 20ms, silence_below -100 to -20 LUFS, and no time is negative")
	}
	return nil
}

// Inputs returns the keys of the ports and what they hold.
func (c *Config) Inputs() map[string]string {
	return map[string]string{"rtc.listen": c.RTC.Listen, "rtmp.listen": c.RTMP.Listen, "srt.listen": c.SRT.Listen}
}

func (c *Config) checkInputs() error {
	for key, addr := range c.Inputs() {
		if addr == "off" {
			continue
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("%s %q: write host:port, :port or off", key, addr)
		}
	}
	return c.RTC.check()
}

// check reads what browsers would else stumble over.
func (c *RTC) check() error {
	for i, a := range c.Public {
		addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(a, "["), "]"))
		if err != nil || addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLinkLocalUnicast() {
			return fmt.Errorf("rtc.public %q: write an IP address that browsers can reach, as in 203.0.113.7 or 2001:db8::7", a)
		}
		c.Public[i] = addr.String()
	}
	for _, s := range c.ICEServers {
		if err := whip.ParseICEServer(s.URL); err != nil || strings.Contains(s.URL, "//") {
			return fmt.Errorf("rtc.ice_servers %q: write it as in stun:stun.example.org:3478 or turn:turn.example.org:3478?transport=udp", s.URL)
		}
		if strings.HasPrefix(s.URL, "turn") && (s.Username == "" || s.CredentialFile == "") {
			return fmt.Errorf("rtc.ice_servers %q: a TURN server needs username and credential_file", s.URL)
		}
	}
	return nil
}

// checkSound checks what a station plays and how loud.
func (s *Station) checkSound() error {
	if s.Loudness == 0 {
		s.Loudness = -18
	}
	if s.Loudness < -31 || s.Loudness > -14 {
		return fmt.Errorf("loudness %g: use -31 to -14 LUFS, most take -18, -16 or -23", s.Loudness)
	}
	if s.Feeds == nil {
		s.Feeds = defaultFeeds()
	}
	if err := s.Feeds.check(); err != nil || s.Pull == "" {
		return err
	}
	u, err := url.Parse(s.Pull)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("pull %q: write the whole address of a stream, as in https://radio.example.org/live.mp3", redact(s.Pull))
	}
	return nil
}

// redact takes a password out of an address, for messages.
func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(not an address)"
	}
	return u.Redacted()
}

// ReadSecret reads a small secret from a file; without a path there is none.
func ReadSecret(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return "", errors.New(path + " is empty")
	}
	return s, nil
}
