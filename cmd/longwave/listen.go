package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"longwave/cmd/longwave/certs"
	"longwave/origin/listen"
)

// listenCmd is a strict listener.
type listenCmd struct {
	URL       string        `arg:"" name:"url" help:"Address of a page, a multivariant playlist or a media playlist."`
	For       time.Duration `default:"20s" help:"How long to listen; 0 until Ctrl-C."`
	JSON      bool          `name:"json" help:"Print the report as one JSON object."`
	Rendition []string      `placeholder:"NAME" help:"Follow these renditions alone; default all."`
	Decode    bool          `help:"Decode with ffmpeg and report level and silence."`
	Strict    bool          `help:"Exit 1 for what only SHOULD be otherwise, too."`
	Slack     time.Duration `default:"100ms" help:"How late a part may be because of network and machine."`
	CA        string        `name:"ca" type:"path" placeholder:"FILE" help:"Trust these certificates (PEM) and no others."`
	Quiet     bool          `short:"q" help:"No progress on standard error."`
}

// Run implements the command.
func (c *listenCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	return c.listen(ctx, os.Stdout, os.Stderr)
}

// listen writes the report to out and progress to progress.
func (c *listenCmd) listen(ctx context.Context, out io.Writer, progress *os.File) error {
	opt := listen.Options{URL: c.URL, For: c.For, Renditions: c.Rendition, Slack: c.Slack, Decode: c.Decode}
	p := &progressLine{w: progress, every: 5 * time.Second}
	if p.tty = term.IsTerminal(int(progress.Fd())); p.tty {
		p.every = time.Second
	}
	if !c.Quiet {
		opt.Progress = p.show
	}
	if c.CA != "" {
		roots, err := certs.ReadRoots(c.CA)
		if err != nil {
			return usageError{fmt.Errorf("--ca: %w", err)}
		}
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DisableCompression = true
		t.MaxIdleConnsPerHost = 64
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		opt.Transport = t
	}
	l, err := listen.New(opt)
	if err != nil {
		return usageError{err}
	}
	report, err := l.Run(ctx)
	p.end()
	switch {
	case errors.Is(err, listen.ErrOptions):
		return usageError{err}
	case err != nil && !c.JSON: // there is nothing to report
		return err
	}
	if failed := c.print(out, &report); failed != nil {
		return fmt.Errorf("print the report: %w", failed)
	}
	if err == nil && report.Failed(c.Strict) {
		return errSaid
	}
	return err
}

func (c *listenCmd) print(w io.Writer, r *listen.Report) error {
	if c.JSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	return r.WriteText(w, c.Strict)
}

// A progressLine tells a person that something happens: on a terminal by one line
// that changes, elsewhere by a new one now and then.
type progressLine struct {
	w     io.Writer
	tty   bool
	every time.Duration
	shown time.Duration
}

func (p *progressLine) show(now listen.Progress) {
	if p.shown > 0 && now.Elapsed < p.shown+p.every {
		return
	}
	p.shown = now.Elapsed
	before, after := "", "\n"
	if p.tty {
		before, after = "\r\033[K", ""
	}
	fmt.Fprintf(p.w, "%s%s  %d renditions, %d segments, %d parts, %d kB, live edge %s ms, %d stalls, %d MUST, %d SHOULD%s", before,
		now.Elapsed.Round(time.Second), now.Renditions, now.Segments, now.Parts, now.Bytes/1000, now.Delay, now.Stalls, now.Must, now.Should, after)
}

func (p *progressLine) end() {
	if p.tty && p.shown > 0 {
		fmt.Fprint(p.w, "\r\033[K")
	}
}
