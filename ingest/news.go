package ingest

import (
	"slices"
	"time"

	"longwave/ingest/mix"
)

// An EventKind says what happened at the desk. Its text is part of the API.
type EventKind string

// The kinds of events.
const (
	EventCame    EventKind = "came"    // a speaker connected
	EventLeft    EventKind = "left"    // a speaker's sound ended
	EventRemoved EventKind = "removed" // the host removed a speaker
	EventOnAir   EventKind = "on_air"
	EventOffAir  EventKind = "off_air"
	EventDeadAir EventKind = "dead_air" // Text is the stage
	EventFeed    EventKind = "feed"     // a group switched; Text says from which to which and why
)

// An Event is something that happened at the desk.
type Event struct {
	ID   int64 // 1, 2, 3, …
	Time time.Time
	Kind EventKind
	Seat string // empty where it is about the programme
	Text string
}

// mostEvents is how many events the desk remembers.
const mostEvents = 200

// news are the last events and who waits for more. The desk's mutex is held for all.
type news struct {
	last    int64
	events  []Event
	changed chan struct{} // closed and replaced when anything changed
}

func (n *news) add(e Event) {
	n.last++
	e.ID, e.Time = n.last, time.Now()
	if len(n.events) == mostEvents {
		n.events = slices.Delete(n.events, 0, 1)
	}
	n.events = append(n.events, e)
	n.tell()
}

func (n *news) tell() {
	close(n.changed)
	n.changed = make(chan struct{})
}

func (d *Desk) event(kind EventKind, seat, text string) {
	d.news.add(Event{Kind: kind, Seat: seat, Text: text})
}

// dead tells of a stage of dead air.
func (d *Desk) dead(stage mix.DeadAir) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.event(EventDeadAir, "", stage.String())
}

// Events returns the events after the one with this ID, oldest first (0: all that are
// remembered), and a channel that is closed when anything at the desk changes.
func (d *Desk) Events(after int64) ([]Event, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, _ := slices.BinarySearchFunc(d.news.events, after+1, func(e Event, id int64) int { return int(e.ID - id) })
	return slices.Clone(d.news.events[i:]), d.news.changed
}
