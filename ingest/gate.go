package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/decode"
	"longwave/ingest/pcm"
	"longwave/ingest/token"
)

// Why a speaker does not get on air. A transport answers an error that wraps
// [ErrRefused] with a final refusal; after any other error the client may retry.
var (
	// ErrRefused is wrapped by errors that mean: this speaker, never so.
	ErrRefused = errors.New("refused")
	// ErrUnauthorized means that no token was shown, or one that is not ours.
	ErrUnauthorized = fmt.Errorf("no valid token: %w", ErrRefused)
	// ErrForbidden means a token of ours that does not open this door: expired,
	// revoked, another station's or another role's.
	ErrForbidden = fmt.Errorf("token not valid here: %w", ErrRefused)
	// ErrBusy means that the station has no seat left.
	ErrBusy = errors.New("no seat free")
	// ErrClosed means that the lane was closed from our side: the same token
	// connected again, or the programme ended.
	ErrClosed = errors.New("lane closed")
	// ErrTakenOver is an [ErrClosed]: the same token connected again.
	ErrTakenOver = fmt.Errorf("taken over by another connection: %w", ErrClosed)
)

// A Claim is what a transport knows of somebody who wants to speak.
type Claim struct {
	Station   string // empty: the token's
	Token     string // empty for the operator's own inputs, see [Gate.Trusted]
	Transport string // "icecast", "file", "stdin": also the metrics' label
	Remote    string // address for the log
	Name      string // what the speaker calls themselves; the token's name goes before it
	// Burst is how much sound the sender sends at once: the lane keeps as much more
	// ahead.
	Burst time.Duration
}

// A Packet is one access unit, or one run of bytes of a container, as it arrived.
type Packet struct {
	Data    []byte
	PTS     pcm.Pos // since the source's start; -1 where the container has none
	Arrival time.Time
}

// GateOptions are what a [Gate] works with.
type GateOptions struct {
	Tokens  *token.Signer
	Revoked func(id string) bool // nil: none is
	// Speakers is how many lanes a station may have; default 16.
	Speakers int
	Log      *slog.Logger
	Registry prometheus.Registerer // nil: nothing is counted in public
}

// A Gate decides who goes on air. It is all a transport knows of the programmes.
// It is safe for concurrent use.
type Gate struct {
	opt        GateOptions
	metrics    *gateMetrics
	programmes map[string]*Programme // by station; never changes
}

// NewGate returns the gate of some programmes.
func NewGate(opt GateOptions, programmes ...*Programme) *Gate {
	if opt.Speakers == 0 {
		opt.Speakers = 16
	}
	if opt.Revoked == nil {
		opt.Revoked = func(string) bool { return false }
	}
	g := &Gate{opt: opt, metrics: newGateMetrics(opt.Registry), programmes: map[string]*Programme{}}
	for _, p := range programmes {
		g.programmes[p.opt.Station] = p
	}
	return g
}

// here reports that the holder of t is in the middle of a talk.
func (g *Gate) here(t token.Token) bool {
	p := g.programmes[t.Station]
	return p != nil && p.desk.Here(t.ID)
}

// Check tells whether c may speak and what the token says, without taking a seat: a
// transport answers it before it reads the sound. A token that has expired is good for as
// long as its holder is here ([Desk.Here]). The errors of Check wrap [ErrUnauthorized] or
// [ErrForbidden].
func (g *Gate) Check(c Claim) (token.Token, error) {
	t, err := g.opt.Tokens.Parse(c.Token, time.Now())
	if c.Station == "" {
		c.Station = t.Station
	}
	if errors.Is(err, token.ErrExpired) && g.here(t) {
		err = nil
	}
	switch {
	case errors.Is(err, token.ErrExpired):
		return t, fmt.Errorf("%w (expired at %s)", ErrForbidden, t.Expires.Format(time.DateTime))
	case err != nil:
		return t, ErrUnauthorized
	case t.Station != c.Station:
		return t, fmt.Errorf("%w (it is for station %q)", ErrForbidden, t.Station)
	case t.Role != token.Host && t.Role != token.Speaker:
		return t, fmt.Errorf("%w (it is for the role %s)", ErrForbidden, t.Role)
	case g.opt.Revoked(t.ID):
		return t, fmt.Errorf("%w (revoked)", ErrForbidden)
	case g.programmes[c.Station] == nil:
		return t, fmt.Errorf("%w (there is no station %q)", ErrForbidden, c.Station)
	}
	return t, nil
}

// Open admits a speaker who sends format f and returns the lane that carries its
// packets to the mixer. The caller must Close it. The lane goes on after ctx ends
// until what it holds was played.
func (g *Gate) Open(ctx context.Context, c Claim, f decode.Format) (*Lane, error) {
	c, t, err := g.know(c)
	if err != nil {
		return nil, err
	}
	return g.open(ctx, c, t, f)
}

// Room tells whether the speaker of c would get a seat, without taking one: its error
// wraps [ErrBusy], or is one of [Gate.Check].
func (g *Gate) Room(c Claim) error {
	c, t, err := g.know(c)
	if err != nil {
		return err
	}
	return g.programmes[c.Station].desk.room(t.ID, g.opt.Speakers)
}

// know checks c and completes it with what the token says.
func (g *Gate) know(c Claim) (Claim, token.Token, error) {
	t, err := g.Check(c)
	if err != nil {
		g.metrics.refused(c.Transport)
		return c, t, err
	}
	c.Station = t.Station
	if t.Name != "" {
		c.Name = t.Name
	}
	return c, t, nil
}

// Trusted is the gate as the operator's own inputs see it: they need no token.
func (g *Gate) Trusted() TrustedGate { return TrustedGate{g} }

// A TrustedGate admits without asking for a token.
type TrustedGate struct{ gate *Gate }

// Open is [Gate.Open] without a token; the claim's name owns the seat.
func (t TrustedGate) Open(ctx context.Context, c Claim, f decode.Format) (*Lane, error) {
	return t.gate.open(ctx, c, token.Token{}, f)
}

// open gives c the token's seat; without one, the seat of its name.
func (g *Gate) open(ctx context.Context, c Claim, t token.Token, f decode.Format) (*Lane, error) {
	p := g.programmes[c.Station]
	seat := t.ID
	if seat == "" {
		seat = c.Transport + ":" + c.Name
	}
	if p == nil {
		return nil, fmt.Errorf("%w (there is no station %q)", ErrForbidden, c.Station)
	}
	l := newLane(ctx, p, c, seat)
	if err := p.admit(l, t, g.opt.Speakers); err != nil {
		l.stream.Close()
		return nil, err
	}
	if err := l.decode(f, decode.Options{Log: g.opt.Log.With("station", c.Station, "speaker", c.Name), Registry: g.opt.Registry}); err != nil {
		l.end(err)
		return nil, err
	}
	g.metrics.opened(c.Transport)
	return l, nil
}

// Close ends every lane: what they hold is still played. Nobody is admitted any more.
func (g *Gate) Close() {
	for _, p := range g.programmes {
		p.Close()
	}
}
