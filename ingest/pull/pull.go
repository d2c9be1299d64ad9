package pull

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/pcm"
)

// lane is a speaker's way to the mixer: *ingest.Lane.
type lane interface {
	Push(ingest.Packet) error
	Title(string)
	Close() error
}

// gate says who may speak: what lets the operator's own inputs through without a token.
type gate[L lane] interface {
	Open(context.Context, ingest.Claim, decode.Format) (L, error)
}

// DefaultSilence is how long a source may send nothing.
const DefaultSilence = 10 * time.Second

// Options are what a puller may be told.
type Options struct {
	// Station is where the sound goes. It must be set.
	Station string
	// URL is what is fetched: http or https. It may hold a user name and a password.
	URL string
	// Name is what the source is called, and whose seat it has; empty: the URL's host
	// and path.
	Name string
	// AllowPrivate are networks that may be connected to although they are not public:
	// a studio's own.
	AllowPrivate []netip.Prefix
	// Resolver finds addresses of names; nil: the system's.
	Resolver *net.Resolver
	// Silence is for how long nothing, or less than 256 bytes, may come before the
	// connection is given up; 0 is [DefaultSilence].
	Silence time.Duration
	// Log is where the start, failures and the end are told; nil: nowhere.
	Log *slog.Logger
	// Registry is where the metrics live, one set for all pullers that are given the
	// same; nil: not counted.
	Registry prometheus.Registerer
}

// A Puller fetches one address.
type Puller struct {
	open  func(context.Context, ingest.Claim, decode.Format) (lane, error)
	o     Options
	url   *url.URL
	shown string
	fetch *fetcher
	m     metrics

	// Of Run.
	tries   int       // connections so far
	failed  bool      // the last one, and that was logged
	since   time.Time // of the sound that is heard now; zero: none is
	wasLive bool      // a playlist of this address had no end
}

// New returns a puller. An address that can never be fetched is told at once.
func New[L lane](g gate[L], o Options) (*Puller, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("pull: not an address") // the parser's error names all of it
	}
	p := &Puller{
		o: o, url: u, shown: shown(u), m: newMetrics(o.Registry),
		open: func(ctx context.Context, c ingest.Claim, f decode.Format) (lane, error) { return g.Open(ctx, c, f) },
	}
	if p.o.Log == nil {
		p.o.Log = slog.New(slog.DiscardHandler)
	}
	p.o.Name = cmp.Or(o.Name, u.Host+u.Path)
	p.o.Silence = cmp.Or(o.Silence, DefaultSilence)
	wall := guard{allow: o.AllowPrivate, refused: p.m.addresses.Inc}
	err = checkURL(u)
	if a, notIP := netip.ParseAddr(u.Hostname()); err == nil && notIP == nil {
		err = wall.check(a)
	}
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w", p.shown, err)
	}
	p.fetch = &fetcher{
		client: wall.client(o.Resolver, p.o.Silence), silence: p.o.Silence,
		got: func(n int) { p.m.bytes.Add(float64(n)) },
	}
	return p, nil
}

const (
	firstWait  = 200 * time.Millisecond // before a failed connection is tried again; it doubles
	mostWait   = 10 * time.Second
	soundAgain = 10 * time.Second // how much sound makes the next wait a first one
)

// errEnded means that a live source ended its connection.
var errEnded = errors.New("the source ended")

// Run fetches until a file was played to its end, until the lane was closed from the
// other side, or until ctx ends; it returns nil but in the last case, or when the gate
// refuses the source for ever. Every other failure is tried again. Run is called once.
func (p *Puller) Run(ctx context.Context) error {
	defer p.fetch.client.CloseIdleConnections()
	wait := firstWait
	for {
		p.since = time.Time{}
		err := p.session(ctx)
		p.tries++
		p.m.ended.WithLabelValues(result(ctx, err)).Inc()
		switch {
		case err == nil:
			p.o.Log.InfoContext(ctx, "pulled to the end", "url", p.shown)
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("pull %s: %w", p.shown, context.Cause(ctx))
		case errors.Is(err, ingest.ErrClosed):
			p.o.Log.InfoContext(ctx, "pull ended by the gate", "url", p.shown, "reason", err)
			return nil
		case errors.Is(err, ingest.ErrRefused):
			return fmt.Errorf("pull %s: %w", p.shown, err)
		}
		if !p.since.IsZero() && time.Since(p.since) >= soundAgain {
			wait = firstWait
		}
		if !p.failed {
			p.failed = true
			p.o.Log.WarnContext(ctx, "pull failed, trying again until it works", "url", p.shown, "reason", err)
		}
		if err := pcm.Sleep(ctx, p.spread(wait)); err != nil {
			return fmt.Errorf("pull %s: %w", p.shown, err)
		}
		wait = min(2*wait, mostWait)
	}
}

// spread is d, give or take a tenth, so that many pullers do not come back at once.
func (p *Puller) spread(d time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = io.WriteString(h, p.o.Station+" "+p.o.Name)
	return d*9/10 + d/5*time.Duration(h.Sum32()%1000)/1000
}

// result is how a connection ended, for the metrics.
func result(ctx context.Context, err error) string {
	_, status := errors.AsType[statusError](err)
	switch {
	case err == nil, errors.Is(err, errEnded):
		return resultEnded
	case ctx.Err() != nil, errors.Is(err, ingest.ErrClosed), errors.Is(err, ingest.ErrRefused):
		return resultClosed
	case errors.Is(err, ingest.ErrBusy):
		return resultBusy
	case errors.Is(err, errAddress):
		return resultAddress
	case errors.Is(err, errSilence), errors.Is(err, errSlow):
		return resultStalled
	case status:
		return resultStatus
	}
	for _, e := range []error{decode.ErrNotAudio, errTooLong, errNoAddress, errMedia, errNoVariant, errEncrypted} {
		if errors.Is(err, e) {
			return resultUndecodable
		}
	}
	return resultBroken
}

// session fetches the address once. It returns nil when what it found had an end and
// was played to it.
func (p *Puller) session(ctx context.Context) error {
	u := p.url
	for range mostLists {
		r, err := p.fetch.get(ctx, u, icyHeader)
		if err != nil {
			return err
		}
		next, err := p.body(ctx, r)
		r.Close()
		if err != nil || next == nil {
			return err
		}
		u = next
	}
	return fmt.Errorf("more than %d lists that lead to each other: %w", mostLists, errNoAddress)
}

// body plays what r holds, or returns the address that it leads to.
func (p *Puller) body(ctx context.Context, r *response) (*url.URL, error) {
	s := stream{Puller: p}
	in, err := newICY(r, r.header, s.titled)
	if err != nil {
		return nil, err
	}
	ahead := bufio.NewReader(in)
	head, err := ahead.Peek(headLen)
	if len(head) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", shown(r.url), err)
	}
	if !isList(head) {
		return nil, s.run(ctx, ahead, r)
	}
	text, err := all(ahead, listBounds.bytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", shown(r.url), err)
	}
	if isHLS(text) {
		return nil, p.hls(ctx, r.url, text)
	}
	next, err := firstAddress(text, r.url)
	if err != nil {
		return nil, fmt.Errorf("read the list %s: %w", shown(r.url), err)
	}
	return next, nil
}

// seat opens the lane for sound of format f.
func (p *Puller) seat(ctx context.Context, f decode.Format) (lane, error) {
	l, err := p.open(ctx, ingest.Claim{Station: p.o.Station, Transport: "pull", Remote: p.shown, Name: p.o.Name}, f)
	if err != nil {
		return nil, fmt.Errorf("open a lane on %q: %w", p.o.Station, err)
	}
	p.m.active.Inc()
	p.o.Log.InfoContext(ctx, "pull on a lane", "url", p.shown, "station", p.o.Station, "format", f.String(), "again", p.failed)
	p.failed = false
	p.since = time.Now()
	return l, nil
}

// unseat closes the lane: what it holds is still played.
func (p *Puller) unseat(l lane) error {
	p.m.active.Dec()
	if err := l.Close(); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return nil
}
