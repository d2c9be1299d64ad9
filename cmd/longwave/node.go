package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"longwave/cmd/longwave/config"
	"longwave/ingest"
	"longwave/ingest/broadcast"
	"longwave/ingest/decode/ffmpeg"
	"longwave/ingest/pcm"
	"longwave/ingest/studio"
	"longwave/ingest/token"
	"longwave/origin/steer"
	"longwave/packager"
	"longwave/packager/relay"
)

// A node is everything in one process, put together and not yet running.
type node struct {
	face
	lock     *os.File
	signer   *token.Signer
	clock    pcm.Clock
	storage  *storage
	gate     *ingest.Gate
	inputs   inputs
	studio   *studio.API
	stations []*station
	relays   []*relay.Relay
}

// A station is one programme on its way to the origin.
type station struct {
	cfg       config.Station
	programme *ingest.Programme
	packager  *packager.Packager
	begun     *begun
	left      chan time.Time // when its sound ended
	show      *broadcast.Show
	steerer   *steer.Steerer // nil: no pathways are configured
}

// newNode opens everything that can be wrong: what is, is said before anybody is on
// air.
func newNode(ctx context.Context, cfg config.Config, log *slog.Logger) (*node, error) {
	n := &node{face: newFace(cfg, log)}
	version, level, err := ffmpeg.Version(ctx, ffmpeg.Options{Log: log})
	if err != nil {
		return nil, usageError{fmt.Errorf("most sources cannot be decoded without ffmpeg (apt install ffmpeg): %w", err)}
	}
	log.Info("decoder", "ffmpeg", version, "sandbox", level.String())
	if n.lock, err = lockData(cfg.Data); err != nil {
		return nil, err
	}
	if n.signer, err = openSigner(cfg.SecretFile); err != nil {
		return nil, err
	}
	if n.storage, err = openStorage(ctx, cfg, log, n.registry); err != nil {
		return nil, err
	}
	if err := n.openTLS(ctx, n.storage.wasOnAir(ctx, n.cfg.Stations, 0)); err != nil {
		return nil, err
	}
	if err := n.openRelays(); err != nil {
		return nil, err
	}
	if err := n.openStations(ctx); err != nil {
		return nil, err
	}
	audience, err := n.audience()
	if err != nil {
		return nil, err
	}
	return n, n.openListeners(ctx, audience)
}

// openStations makes the programmes, the gate before them and the packagers behind.
func (n *node) openStations(ctx context.Context) error {
	holds, err := openHolds(ctx, n.cfg.Stations)
	if err != nil {
		return err
	}
	n.clock = pcm.NewClock(time.Now())
	var programmes []*ingest.Programme
	for i, cfg := range n.cfg.Stations {
		log := n.log.With("station", cfg.Name)
		reg := prometheus.WrapRegistererWith(prometheus.Labels{"station": cfg.Name}, n.registry)
		profile, err := packager.ParseProfile(cfg.Profile)
		if err != nil {
			return usageError{err}
		}
		ladder, err := cfg.Ladder()
		if err != nil {
			return usageError{err}
		}
		s := &station{cfg: cfg, left: make(chan time.Time, 1)}
		if s.begun, err = openBegun(n.cfg.Data, cfg.Name, log); err != nil {
			return err
		}
		start, first, err := s.begun.start(n.clock.Now())
		if err != nil {
			return err
		}
		s.programme = ingest.NewProgramme(ingest.ProgrammeOptions{
			Station: cfg.Name, Clock: n.clock, Start: first, Hold: holds[i], Loudness: cfg.Loudness, Feeds: cfg.Feeds.Options(),
			Log: log, Registry: reg,
		})
		s.packager, err = packager.New(packager.Options{
			Station: cfg.Name, Profile: profile, Ladder: ladder, Start: start, First: first, Begun: s.begun.note,
			Pathways: n.cfg.Ways(), Best: s.steeredTo, Live: n.sink(), Outlets: n.storage.outlets(cfg.Name, log, n.registry), Past: n.storage,
			Now: n.clock.Now, Log: log, Registry: reg,
		})
		if err != nil {
			return err
		}
		n.openShow(ctx, s, reg)
		n.openSteering(ctx, s, ladder, log)
		programmes = append(programmes, s.programme)
		n.stations = append(n.stations, s)
	}
	n.gate = ingest.NewGate(ingest.GateOptions{
		Tokens: n.signer, Speakers: n.cfg.Limits.Speakers, Revoked: n.revoked, Log: n.log, Registry: n.registry,
	}, programmes...)
	if err := n.openInputs(ctx); err != nil {
		return err
	}
	return n.openStudio()
}

// run goes on air until it is to stop, then lets everybody finish; it ends at once when
// ctx does.
//
// The end is an EOF that travels with the sound: the gate closes, lanes drain, the
// programmes end, the packagers flush and say so in the playlists, the stores get
// the rest, and only then the listeners close. A hand-over cuts the sound instead: whoever
// goes on is the sooner there, and the playlists stay open.
func (n *node) run(ctx context.Context, end *stop) error {
	services, endServices := context.WithCancel(ctx)
	defer endServices()
	group, services := errgroup.WithContext(services)
	n.start(services, group)
	group.Go(func() error {
		newSupervisor(n.log).tell(services, end.asked, func() bool { _, moves := n.onAir(); return moves })
		return nil
	})
	office, closeOffice := context.WithCancel(services)
	defer closeOffice()
	group.Go(func() error { return n.studio.Run(office) })

	media, onAir := errgroup.WithContext(services)
	for _, s := range n.stations {
		media.Go(func() error { return s.packager.Run(onAir, leaving{s.programme, end, s.left}) })
	}
	media.Go(func() error {
		select {
		case <-end.asked:
		case <-onAir.Done():
		}
		n.ending.Store(true)
		closeOffice() // studios say that they reconnect; their streams would hold up the end
		n.gate.Close()
		return nil
	})
	err := media.Wait()
	if err == nil {
		n.linger(ctx, end)
	}
	n.storage.tellRest(n.log)
	n.closeListeners(ctx, end.closeTime(), n.inputs.close)
	endServices()
	if failed := group.Wait(); failed != nil && !errors.Is(failed, context.Canceled) {
		err = failed // the cause of the others' end
	}
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

// start runs what serves the programmes.
func (n *node) start(ctx context.Context, group *errgroup.Group) {
	group.Go(func() error { return n.storage.run(ctx) })
	n.face.start(ctx, group)
	for _, r := range n.relays {
		group.Go(func() error { return r.Run(ctx) })
	}
	group.Go(func() error { return n.watchClock(ctx) })
	for _, s := range n.stations {
		group.Go(func() error { return s.show.Run(ctx) })
		group.Go(func() error { return s.begun.Run(ctx) })
		if s.steerer != nil {
			group.Go(func() error { return s.steerer.Run(ctx) })
		}
	}
	n.inputs.start(ctx, group, n)
}

// lingerTime is how long the end is served: a player that hears the last segment asks
// for the playlist once more, and a cache before us for the last parts.
const lingerTime = 2 * packager.TargetDuration

// handOverTime is how long listeners may fetch the end of a segment that is handed over,
// and then how long answers under way may take. Each is silence on the other side of it.
const handOverTime = 300 * time.Millisecond

// linger serves on for a while after the sound has ended: stores were waited for meanwhile.
func (n *node) linger(ctx context.Context, end *stop) {
	wait := handOverTime
	if end.over {
		wait = lingerTime
	}
	var last time.Time
	for _, s := range n.stations {
		if at := <-s.left; at.After(last) {
			last = at
		}
	}
	select {
	case <-time.After(time.Until(last.Add(wait))):
	case <-ctx.Done():
	}
}

// closeTime is how long answers under way may take.
func (s *stop) closeTime() time.Duration {
	if s.over {
		return closeTime
	}
	return handOverTime
}

// A leaving programme is one that somebody else goes on with when the node is to stop, and
// not for good.
type leaving struct {
	packager.Source
	end  *stop
	left chan<- time.Time // has room for one
}

// Next implements [packager.Source].
func (l leaving) Next(ctx context.Context) (pcm.Frame, error) {
	select {
	case <-l.end.asked:
		if !l.end.over {
			l.left <- time.Now()
			return pcm.Frame{}, packager.ErrHandOver
		}
	default:
	}
	f, err := l.Source.Next(ctx)
	if errors.Is(err, io.EOF) {
		l.left <- time.Now()
	}
	return f, err
}
