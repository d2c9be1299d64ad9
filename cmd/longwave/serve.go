package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"longwave/cmd/longwave/config"
	"longwave/ingest/token"
)

// drainTime is how long a node may take to end after a signal.
const drainTime = 10 * time.Second

// serveCmd runs everything in one process.
type serveCmd struct {
	common
	Listen  string `placeholder:"ADDR" help:"Address of the listener (default :8080)."`
	Metrics string `placeholder:"ADDR" help:"Address of the listener for metrics and health, or off (default 127.0.0.1:9464)."`
	Public  string `placeholder:"URL" help:"Address under which the audience reaches the listener."`
	Profile string `placeholder:"NAME" help:"fast, low, calm or plain (default low)."`
	Play    string `placeholder:"FILE" help:"Put a file on air, anything that ffmpeg decodes; - is standard input (WAV, or s16le 48 kHz stereo)."`
	Loop    bool   `help:"Play the file again and again."`
	Quiet   bool   `help:"Print no addresses and keys: for supervisors, which keep what is printed."`
}

// Run implements the command.
func (c *serveCmd) Run() error {
	cfg, err := c.settings()
	if err != nil {
		return err
	}
	line := openLogLine(stderr)
	defer line.close()
	log, err := newLog(cfg.Log, line)
	if err != nil {
		return err
	}
	signals := notify()
	n, err := newNode(context.Background(), cfg, log)
	if err != nil {
		return err
	}
	if !c.Quiet {
		if err := n.printAddresses(os.Stdout); err != nil {
			return err
		}
	}
	return drained(signals, log, n.run)
}

func notify() <-chan os.Signal {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return signals
}

// A stop tells what runs that it is to end, and how.
type stop struct {
	asked chan struct{} // closed then
	over  bool          // for good: listeners are told. Set before asked is closed
}

// drained runs something until the first signal: SIGINT ends it for good, SIGTERM means
// that somebody else starts it again. A second one, or time, ends ctx; but who has asked for
// the end may have a supervisor ask, too, that it be not started again.
func drained(signals <-chan os.Signal, log *slog.Logger, run func(context.Context, *stop) error) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	s := &stop{asked: make(chan struct{})}
	go func() {
		first := <-signals
		s.over = first == os.Interrupt
		close(s.asked)
		// timeout(1) and terminals signal the process and then its group: that is one wish.
		settle(signals, 100*time.Millisecond)
		log.Info("ending", "signal", first.String())
		late := time.After(drainTime - time.Second)
		for again := s.over; ; again = false {
			select {
			case next := <-signals:
				if again && next == syscall.SIGTERM {
					continue
				}
				log.Warn("second signal: ending at once")
			case <-late:
			}
			break
		}
		cancel(errors.New("not drained in time"))
	}()
	return run(ctx, s)
}

// settle takes the signals that come within d.
func settle(signals <-chan os.Signal, d time.Duration) {
	over := time.After(d)
	for {
		select {
		case <-signals:
		case <-over:
			return
		}
	}
}

// settings are the configuration with the flags before it.
func (c *serveCmd) settings() (config.Config, error) {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return cfg, usageError{err}
	}
	for _, f := range []struct {
		flag string
		key  *string
	}{{c.Listen, &cfg.Listen}, {c.Metrics, &cfg.Metrics}, {c.Public, &cfg.Public}, {c.Data, &cfg.Data}, {c.Node, &cfg.Node}} {
		if f.flag != "" {
			*f.key = f.flag
		}
	}
	for i := range cfg.Stations {
		if c.Profile != "" {
			cfg.Stations[i].Profile = c.Profile
		}
		if c.Play != "" && i == 0 {
			cfg.Stations[i].Play, cfg.Stations[i].Loop = c.Play, c.Loop
		}
	}
	return cfg, c.checked(&cfg)
}

// publicHost is the name or address under which speakers reach this node.
func (n *node) publicHost() string {
	u, err := url.Parse(n.cfg.Public)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// printPush tells what OBS and hardware encoders need.
func (n *node) printPush(b *strings.Builder, station, key string) {
	at := n.pushAddresses(station, key)
	if a := at["whip"]; a != "" {
		fmt.Fprintf(b, "            OBS by WHIP: server %s, bearer token that password\n", a)
	}
	if a := at["rtmp"]; a != "" {
		fmt.Fprintf(b, "            OBS by RTMP: server %s, stream key that password\n", strings.TrimSuffix(a, "/"+key))
	}
	if a := at["srt"]; a != "" {
		fmt.Fprintf(b, "            SRT: %s\n", strings.Replace(a, key, "PASSWORD", 1))
	}
}

// printAddresses tells a person what to open and what to paste.
func (n *node) printAddresses(w interface{ Write([]byte) (int, error) }) error {
	var b strings.Builder
	at, tlsOption := strings.TrimPrefix(n.cfg.Public, "http://"), ""
	if host, ok := strings.CutPrefix(n.cfg.Public, "https://"); ok {
		at, tlsOption = host, "-tls 1 "
	}
	for _, s := range n.cfg.Stations {
		key, err := n.signer.Sign(newToken(s.Name, token.Speaker, "Studio", 24*time.Hour))
		if err != nil {
			return err
		}
		host, err := n.signer.Sign(newToken(s.Name, token.Host, "Host", 24*time.Hour))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n%s\n  listen    %s/%s/\n", s.Title, n.cfg.Public, s.Name)
		fmt.Fprintf(&b, "  studio    %s/studio/%s#%s\n            for the host, who goes on air and invites speakers (valid for a day: keep it to yourself)\n", n.cfg.Public, s.Name, host)
		fmt.Fprintf(&b, "  speak     ffmpeg -re -i FILE -c:a libopus -b:a 96k -page_duration 20000 -content_type audio/ogg -f ogg %s'icecast://source:%s@%s/ice/%s'\n", tlsOption, key, at, s.Name)
		fmt.Fprintf(&b, "            or any Icecast source client: server %s, mount /ice/%s, user source, and that password (valid for a day)\n", at, s.Name)
		n.printPush(&b, s.Name, key)
	}
	if n.cfg.Metrics != "off" {
		fmt.Fprintf(&b, "\noperate     http://%s/metrics\n", n.cfg.Metrics)
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}
