package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"longwave/ingest/studio"
	"longwave/origin/steer"
	"longwave/origin/store"
	"longwave/packager"
)

// openSteering makes the watcher of the pathways on which a station's listeners are
// reached.
func (n *node) openSteering(ctx context.Context, s *station, renditions []packager.Rung, log *slog.Logger) {
	if len(n.cfg.Pathways) == 0 {
		return
	}
	live := n.sink()
	o := steer.Options{
		Station: s.cfg.Name, Sent: n.live, Keeper: steeringKeeper{n.storage.main(), s.cfg.Name}, Log: log, Registry: n.registry,
		Live: func(o packager.Object) {
			if err := live.Put(context.WithoutCancel(ctx), o); err != nil {
				log.Error("live window refused an object", "key", o.Key.String(), "err", err)
			}
		},
		Stores: n.storage.publisher(log),
	}
	for _, r := range lowestFirst(renditions) {
		o.Renditions = append(o.Renditions, r.Name)
	}
	for i, p := range n.cfg.Ways() {
		node := n.cfg.Pathways[i].Node
		o.Pathways = append(o.Pathways, steer.Pathway{Pathway: p, Own: node == "" || node == n.cfg.Node})
	}
	s.steerer = steer.New(o)
}

// steeredTo returns the pathways of a kind that players are steered to, the best first.
func (s *station) steeredTo(plain bool) []string {
	if s.steerer == nil {
		return nil
	}
	return s.steerer.List(plain)
}

// lowestFirst puts the lowest AAC rendition first: every player can take it.
func lowestFirst(ladder []packager.Rung) []packager.Rung {
	var first, rest []packager.Rung
	for _, r := range ladder {
		if r.Codec == "aac" && len(first) == 0 {
			first = append(first, r)
			continue
		}
		rest = append(rest, r)
	}
	return append(first, rest...)
}

// A steeringKeeper keeps what was decided on the pathways of a station as a private
// object.
type steeringKeeper struct {
	store   store.Store
	station string
}

func (k steeringKeeper) name() store.Name { return store.Private("pathways", k.station) }

func (k steeringKeeper) Load(ctx context.Context) ([]byte, error) {
	o, err := k.store.Get(ctx, k.name())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return o.Data, err
}

func (k steeringKeeper) Save(ctx context.Context, data []byte) error {
	_, err := k.store.PutIf(ctx, k.name(), data, store.Always)
	return err
}

// A pathwayDesk shows the studio what is known of the pathways.
type pathwayDesk struct{ *steer.Steerer }

func (d pathwayDesk) Look() (list []studio.Pathway, history []studio.PathwayChange) {
	for _, s := range d.States() {
		list = append(list, studio.Pathway{
			ID: s.ID, URL: s.URL, Plain: s.Plain, Good: s.Good, Listed: s.Listed, Hand: string(s.Hand), Since: s.Since,
			Fault: string(s.Fault), Text: s.Text, Looked: s.Last.At, FirstByte: s.Last.FirstByte, Behind: s.Last.Behind,
		})
	}
	for _, c := range d.History() {
		history = append(history, studio.PathwayChange{At: c.At, Pathway: c.Pathway, What: c.What, Fault: string(c.Fault), Text: c.Text})
	}
	return list, history
}

func (d pathwayDesk) SetHand(id, hand string) error {
	h, err := steer.ParseHand(hand)
	if err != nil {
		return err
	}
	return d.Steerer.SetHand(id, h)
}

// pathwayAlarm is what the host should know of them.
func (s *station) pathwayAlarm() (studio.Alarm, bool) {
	if s.steerer == nil {
		return studio.Alarm{}, false
	}
	var bad []string
	var since time.Time
	states := s.steerer.States()
	for _, p := range states {
		if !p.Good {
			bad = append(bad, fmt.Sprintf("%s: %s", p.ID, p.Text))
			if since.IsZero() || p.Since.Before(since) {
				since = p.Since
			}
		}
	}
	if len(bad) == 0 {
		return studio.Alarm{}, false
	}
	a := studio.Alarm{Kind: studio.AlarmEdge, Grade: studio.GradeWarn, Since: since, Text: "Listeners are sent around a pathway. " + strings.Join(bad, "; ")}
	if len(bad) == len(states) {
		a.Grade, a.Text = studio.GradeAlarm, "No pathway to the listeners is good. "+strings.Join(bad, "; ")
	}
	return a, true
}
