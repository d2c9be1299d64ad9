// Package config reads the configuration file, completes it and says what is wrong with it.
//
// This package does not open anything that the configuration names but small secrets.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"longwave/packager"
)

// Config is what the configuration file says. Every key has a default; a flag
// goes before the file, the file before the default. It has more than 15 fields because
// the file has as many sections.
type Config struct {
	// Node is the name of this node, where there are several. It takes the place of
	// {node} in every text of the configuration. Default: none.
	Node string `yaml:"node"`
	// Listen is the address of the one listener that serves the audience and
	// takes speakers. Default ":8080", or the port of Public when we end TLS.
	Listen string `yaml:"listen"`
	// Public is the address under which the audience reaches the listener or the
	// CDN before it. Default: http://localhost and the port of Listen.
	Public string `yaml:"public"`
	// Twins are the addresses of all nodes that the same speakers feed, this one's too:
	// the studio of each publishes to all of them. Default: this node stands alone.
	Twins []string `yaml:"twins"`
	// Metrics is the address of the listener for Prometheus, health and profiling.
	// It is not for the public. Default "127.0.0.1:9464"; "off" switches it off.
	Metrics string `yaml:"metrics"`
	// Data is the folder of everything that this node keeps. Default "./data".
	Data string `yaml:"data"`
	// SecretFile holds the secret that signs tokens: any 16 bytes or more. Nodes
	// that are to take the same tokens have the same file. Default: secret.key in
	// the data folder, made at the first start.
	SecretFile string `yaml:"secret_file"`
	// TLS is about https.
	TLS TLS `yaml:"tls"`
	// RTC is about browsers' microphones and WHIP.
	RTC RTC `yaml:"rtc"`
	// RTMP is about OBS and hardware encoders.
	RTMP RTMP `yaml:"rtmp"`
	// SRT is about encoders for bad networks.
	SRT SRT `yaml:"srt"`
	// Log says how much is logged and how.
	Log Log `yaml:"log"`
	// Store is where the segments are kept.
	Store Store `yaml:"store"`
	// Shield lets the CDNs alone reach the audience's side. Default: everybody may.
	Shield Shield `yaml:"shield"`
	// Origin is about longwave origin.
	Origin Origin `yaml:"origin"`
	// Push are other origins that get everything as it is made. Default: none.
	Push []Push `yaml:"push"`
	// Stations are the audience's addresses. Default: one, "talk".
	Stations []Station `yaml:"stations"`
	// Pathways are the ways on which listeners are reached, the preferred first. Default:
	// public alone, and nobody is steered.
	Pathways []Pathway `yaml:"pathways"`
	// Limits bound what outsiders can make us do.
	Limits Limits `yaml:"limits"`
}

// Log is about the log, which goes to standard error.
type Log struct {
	// Level is debug, info, warn or error. Default info.
	Level string `yaml:"level"`
	// Format is text, for people, or json, for machines. Default text.
	Format string `yaml:"format"`
}

// Store is about where segments are kept.
type Store struct {
	// Kind is disk or s3. Default disk: the folder "store" in the data folder.
	Kind string `yaml:"kind"`
	// Keep is how long segments are kept; 0 keeps them for ever. Default 168h.
	Keep time.Duration `yaml:"keep"`
	// KeepBytes bounds what a station keeps: "20GB"; 0 is no bound. The oldest
	// segments go first, but none that a playlist names. Default 20GB.
	KeepBytes Size `yaml:"keep_bytes"`
	// Spool is how long the disk keeps what a bucket that is away is to get, at least
	// 15 minutes. Default 24h.
	Spool time.Duration `yaml:"spool"`
	// SpoolBytes bounds that for each station; beyond it the oldest is given up. 0 is no
	// bound. Default 2GB: twelve hours of the default renditions.
	SpoolBytes Size `yaml:"spool_bytes"`
	// S3 is about the bucket, for kind s3.
	S3 S3 `yaml:"s3"`
}

// S3 names a bucket. Credentials come from where the AWS tools look for
// them (environment, shared files, instance role), or from CredentialsFile.
type S3 struct {
	// Bucket is its name. No default.
	Bucket string `yaml:"bucket"`
	// Prefix goes before every key. Default: none.
	Prefix string `yaml:"prefix"`
	// Region of the bucket. Default: what the AWS tools are set to.
	Region string `yaml:"region"`
	// Endpoint is the address of an S3 server that is not AWS. Default: AWS.
	Endpoint string `yaml:"endpoint"`
	// PathStyle puts the bucket into the path instead of the host name: most
	// servers that are not AWS need it. Default: true when endpoint is set.
	PathStyle *bool `yaml:"path_style"`
	// CredentialsFile is a file in the format of ~/.aws/credentials. It may be changed
	// at any time: it is read again every minute.
	CredentialsFile string `yaml:"credentials_file"`
	// SingleWriter is for a store that ignores conditions on PUT. No other process may
	// write there then. Default false.
	SingleWriter bool `yaml:"single_writer"`
}

// Station is about one audience address.
type Station struct {
	// Name is the address: the audience's page is at /{name}/. 1 to 23 of a-z,
	// 0-9, "-" and "_". It never changes.
	Name string `yaml:"name"`
	// Title is shown to listeners. Default: the name.
	Title string `yaml:"title"`
	// Profile is fast, low, calm or plain: how far behind real time listeners are
	// against how many requests they make. Default low.
	Profile string `yaml:"profile"`
	// Renditions are codec and kbit/s, lowest first in each codec. Default
	// [opus-24, opus-48, opus-96, aac-48, aac-96].
	Renditions []string `yaml:"renditions"`
	// Hold is a sound file that plays when nobody speaks. Default: a quiet loop.
	Hold string `yaml:"hold"`
	// Play is a file that is on air like a speaker; "-" is standard input.
	Play string `yaml:"play"`
	// Loop plays the file again when it ends. Default false.
	Loop bool `yaml:"loop"`
	// Pull is the address of a stream (Icecast, HTTP or HLS) that is on air like a
	// speaker. Default: none.
	Pull string `yaml:"pull"`
	// PullPrivate lets Pull be an address of a private network. Default false.
	PullPrivate bool `yaml:"pull_private"`
	// Loudness is how loud the conversation is made, in LUFS. Default -18.
	Loudness float64 `yaml:"loudness"`
	// Feeds says when another feed of a group is taken.
	Feeds *Feeds `yaml:"feeds"`
}

// Limits bounds what outsiders can make us do.
type Limits struct {
	// Speakers is how many may be connected to a station. Default 16.
	Speakers int `yaml:"speakers"`
	// Waiting is how many requests of listeners may wait for a playlist or part at
	// one time; more are told to come back. Each costs about 48 KiB. Default 20000.
	Waiting int `yaml:"waiting"`
}

// Default is what holds where the file says nothing.
func Default() Config {
	return Config{
		Metrics:  "127.0.0.1:9464",
		Data:     "./data",
		RTC:      RTC{Listen: ":8189"},
		RTMP:     RTMP{Listen: ":1935"},
		SRT:      SRT{Listen: ":8890"},
		Log:      Log{Level: "info", Format: "text"},
		Store:    Store{Kind: "disk", Keep: 168 * time.Hour, KeepBytes: 20_000_000_000, Spool: 24 * time.Hour, SpoolBytes: 2_000_000_000},
		Stations: []Station{{Name: "talk"}},
		Shield:   Shield{Header: "X-Longwave-Shield"},
		Limits:   Limits{Speakers: 16, Waiting: 20_000},
	}
}

// Load reads the file; path may be empty. Errors name file, line and column.
func Load(path string) (Config, error) {
	c := Default()
	if path == "" {
		return c, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return c, nil
	}
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		return c, fmt.Errorf("%s:%w", path, explainYAML(err))
	}
	return c, nil
}

// explainYAML puts an error of the YAML library on one line: where, what, and for
// an unknown key the nearest one that exists.
func explainYAML(err error) error {
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) && unknown.Token != nil {
		key, at := unknown.Token.Value, unknown.Token.Position
		return fmt.Errorf("%d:%d: unknown key %q%s", at.Line, at.Column, key, suggest(key))
	}
	var wrong *yaml.TypeError
	if errors.As(err, &wrong) && wrong.Token != nil {
		at := wrong.Token.Position
		return fmt.Errorf("%d:%d: %q is not a %s", at.Line, at.Column, wrong.Token.Value, plainType(wrong.DstType))
	}
	text := strings.Join(strings.Fields(yaml.FormatError(err, false, false)), " ")
	if where, what, ok := strings.Cut(text, "] "); ok && strings.HasPrefix(where, "[") { // "[line:column] what"
		return errors.New(where[1:] + ": " + what)
	} else if d, ok := strings.CutPrefix(text, "time: invalid duration "); ok {
		text = d + " is not a length of time: write it as in 24h or 90s"
	}
	return errors.New(" " + strings.TrimRight(text, ": "))
}

// Check completes c and says what is wrong with it.
func (c *Config) Check() error {
	if err := c.placeNode(); err != nil {
		return err
	}
	if err := c.checkAddresses(); err != nil {
		return err
	}
	if err := c.checkTwins(); err != nil {
		return err
	}
	if err := c.checkInputs(); err != nil {
		return err
	}
	if err := c.checkPathways(); err != nil {
		return err
	}
	if c.SecretFile == "" {
		c.SecretFile = filepath.Join(c.Data, "secret.key")
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return fmt.Errorf("log.format %q: use text or json", c.Log.Format)
	}
	switch c.Store.Kind {
	case "disk":
	case "s3":
		if c.Store.S3.Bucket == "" {
			return errors.New("store.s3.bucket is missing: name the bucket")
		}
		if c.Store.S3.PathStyle == nil {
			own := c.Store.S3.Endpoint != ""
			c.Store.S3.PathStyle = &own
		}
	default:
		return fmt.Errorf("store.kind %q: use disk or s3", c.Store.Kind)
	}
	if st := c.Store; st.Keep < 0 || st.Spool < 0 || st.KeepBytes < 0 || st.SpoolBytes < 0 {
		return errors.New("store: keep, keep_bytes, spool and spool_bytes cannot be negative")
	}
	if c.Limits.Speakers < 1 || c.Limits.Waiting < 1 {
		return errors.New("limits.speakers and limits.waiting must be at least 1")
	}
	if err := c.checkStations(); err != nil {
		return err
	}
	return c.checkPush()
}

func (c *Config) checkAddresses() error {
	if c.Listen == "" {
		c.Listen = c.usualListen()
	}
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen %q: write host:port or :port", c.Listen)
	}
	if c.Metrics != "off" {
		if _, _, err := net.SplitHostPort(c.Metrics); err != nil {
			return fmt.Errorf("metrics %q: write host:port or off", c.Metrics)
		}
	}
	if c.Public == "" {
		c.Public = c.usualPublic(port)
	}
	u, err := url.Parse(c.Public)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("public %q: write the whole address, as in https://radio.example.org", c.Public)
	}
	c.Public = strings.TrimSuffix(c.Public, "/")
	return c.checkTLS(u)
}

func (c *Config) checkStations() error {
	seen := map[string]bool{}
	if len(c.Stations) == 0 {
		return errors.New("stations is empty: name at least one")
	}
	for i := range c.Stations {
		s := &c.Stations[i]
		if !packager.ValidName(s.Name) || len(s.Name) > 23 || packager.ReservedName(s.Name) {
			return fmt.Errorf("station name %q: use 1 to 23 of a-z, 0-9, - and _, and none of %s", s.Name, strings.Join(packager.ReservedNames(), ", "))
		}
		if seen[s.Name] {
			return fmt.Errorf("station %q stands twice", s.Name)
		}
		seen[s.Name] = true
		if s.Title == "" {
			s.Title = s.Name
		}
		if s.Profile == "" {
			s.Profile = "low"
		}
		if _, err := packager.ParseProfile(s.Profile); err != nil {
			return fmt.Errorf("station %q: %w", s.Name, err)
		}
		if _, err := s.Ladder(); err != nil {
			return fmt.Errorf("station %q: %w", s.Name, err)
		}
		if err := s.checkSound(); err != nil {
			return fmt.Errorf("station %q: %w", s.Name, err)
		}
	}
	return nil
}

// Ladder returns the renditions of the station.
func (s Station) Ladder() ([]packager.Rung, error) {
	if len(s.Renditions) == 0 {
		return packager.DefaultLadder(), nil
	}
	var rungs []packager.Rung
	aac := false
	seen := map[string]bool{}
	for _, name := range s.Renditions {
		r, err := packager.ParseRung(name)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fmt.Errorf("rendition %q stands twice", name)
		}
		seen[name] = true
		aac = aac || r.Codec == "aac"
		rungs = append(rungs, r)
	}
	if !aac {
		return nil, errors.New("renditions hold no aac: index.m3u8 is for players that know nothing else, so name at least one, as in aac-48")
	}
	return rungs, nil
}
