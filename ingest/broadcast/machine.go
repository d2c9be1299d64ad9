package broadcast

import (
	"fmt"
	"slices"
	"time"
)

// A NewsKind says what happened. Its text is part of the API.
type NewsKind string

// The kinds of news.
const (
	NewsDoors NewsKind = "doors" // the doors are open
	NewsLate  NewsKind = "late"  // the announced start has passed
	NewsLive  NewsKind = "live"
	NewsHold  NewsKind = "hold" // the hold was put on or taken off
	NewsEnd   NewsKind = "end"  // a broadcast ended, or never took place
)

// News tell what became of a deed.
type News struct {
	Time time.Time
	Kind NewsKind
	Text string // the broadcast's title; of hold "on" or "off"
}

// A Deed changes a record: what a host does, or that time passed. It depends on nothing
// but the record and the time, so it can be done again on top of another record.
type Deed interface {
	do(r *Record, now time.Time, tell tell) error
}

// A tell takes news.
type tell func(kind NewsKind, text string)

// Apply returns the record after d was done at now. With an error, which wraps
// [ErrNotFound], [ErrConflict] or [ErrInvalid], r is returned as it was.
func (r Record) Apply(d Deed, now time.Time) (Record, []News, error) {
	after := r
	if after.Phase == "" {
		after.Phase = Auto
	}
	var news []News
	tell := func(kind NewsKind, text string) { news = append(news, News{now, kind, text}) }
	if err := d.do(&after, now, tell); err != nil {
		return r, nil, err
	}
	after.pass(now, false, tell)
	after.trim(now)
	return after, news, nil
}

// Tick says that time has passed. Alone means that nobody is connected by a token.
type Tick struct{ Alone bool }

func (t Tick) do(r *Record, now time.Time, tell tell) error {
	r.pass(now, t.Alone, tell)
	return nil
}

// pass moves r to where it has to be at now.
func (r *Record) pass(now time.Time, alone bool, tell tell) {
	for r.step(now, alone, tell) {
	}
}

// step makes one transition that is due, and reports whether one was.
func (r *Record) step(now time.Time, alone bool, tell tell) bool {
	var next Broadcast
	if ahead := r.Ahead(); len(ahead) > 0 {
		next = ahead[0]
	}
	due := next.ID != "" && !now.Before(next.DoorsAt())
	over := due || alone && !now.Before(r.Since.Add(EndedFor))
	switch {
	case r.Phase == Doors:
		return r.wait(now, next, tell)
	case r.Phase == Live, r.Phase == Ended && !over:
		return false
	case due:
		r.enter(Doors, next.ID, now)
		tell(NewsDoors, next.Title)
	case next.ID == "" && r.Phase != Auto:
		r.enter(Auto, "", now)
	case next.ID != "" && r.Phase != Scheduled:
		r.enter(Scheduled, "", now)
	default:
		return false
	}
	return true
}

// wait is step while the doors are open.
func (r *Record) wait(now time.Time, next Broadcast, tell tell) bool {
	i := r.index(r.Current)
	b := r.Broadcasts[i]
	switch {
	case !now.Before(b.Start.Add(MissedAfter)), next.ID != "" && !now.Before(next.Start):
		b.EndedAt = now
		r.set(i, b)
		r.enter(Ended, b.ID, now)
		tell(NewsEnd, b.Title)
	case !r.Told && now.After(b.Start):
		r.Told = true
		tell(NewsLate, b.Title)
	default:
		return false
	}
	return true
}

// enter begins a phase.
func (r *Record) enter(p Phase, current string, now time.Time) {
	r.Phase, r.Current, r.Since, r.Told = p, current, now, false
	if r.Hold && p != Auto && p != Scheduled {
		r.Hold, r.HoldAt = false, now.UTC()
	}
}

// set replaces a broadcast.
func (r *Record) set(i int, b Broadcast) {
	r.Broadcasts = slices.Clone(r.Broadcasts)
	r.Broadcasts[i] = b
}

// Due returns when the clock moves r the next time; zero: not by itself.
func (r Record) Due() time.Time {
	ahead := r.Ahead()
	var due time.Time
	earlier := func(t time.Time) {
		if due.IsZero() || t.Before(due) {
			due = t
		}
	}
	if r.Phase == Live {
		return due
	}
	if r.Phase == Doors {
		b, _ := r.Broadcast(r.Current)
		earlier(b.Start.Add(MissedAfter))
		if !r.Told {
			earlier(b.Start.Add(1)) // late is after the start, not at it
		}
		if len(ahead) > 0 {
			earlier(ahead[0].Start)
		}
		return due
	}
	if r.Phase == Ended {
		earlier(r.Since.Add(EndedFor))
	}
	if len(ahead) > 0 {
		earlier(ahead[0].DoorsAt())
	}
	return due
}

// trim forgets what is long over.
func (r *Record) trim(now time.Time) {
	r.Links = pruned(r.Links, now)
	var ended []Broadcast
	for _, b := range r.Broadcasts {
		if !b.EndedAt.IsZero() && b.ID != r.Current {
			ended = append(ended, b)
		}
	}
	if len(ended) <= mostBehind {
		return
	}
	slices.SortStableFunc(ended, func(a, b Broadcast) int { return a.EndedAt.Compare(b.EndedAt) })
	old := map[string]bool{}
	for _, b := range ended[:len(ended)-mostBehind] {
		old[b.ID] = true
	}
	r.Broadcasts = slices.DeleteFunc(slices.Clone(r.Broadcasts), func(b Broadcast) bool { return old[b.ID] })
}

// GoLive takes a station on air: the broadcast whose doors are open; else the one that
// is named; else the next one if its doors open within [EarlyBy]; else one that was not
// announced and gets the ID New.
type GoLive struct {
	New       string
	Broadcast string // empty: as above
	Title     string // empty: as it is
}

func (g GoLive) do(r *Record, now time.Time, tell tell) error {
	if r.Phase == Live {
		return fmt.Errorf("%w: the station is live already", ErrConflict)
	}
	i := r.index(g.which(r, now))
	if i < 0 && g.Broadcast != "" {
		return fmt.Errorf("%w: there is no broadcast %q", ErrNotFound, g.Broadcast)
	}
	if i < 0 && r.index(g.New) >= 0 {
		return fmt.Errorf("%w: there is a broadcast %q already", ErrConflict, g.New)
	}
	if i < 0 {
		b := Broadcast{ID: g.New, Title: g.Title}
		if err := b.check(); err != nil {
			return err
		}
		r.Broadcasts = append(slices.Clone(r.Broadcasts), b)
		i = len(r.Broadcasts) - 1
	}
	b := r.Broadcasts[i]
	if !b.ahead() {
		return fmt.Errorf("%w: the broadcast %q has ended", ErrConflict, b.Title)
	}
	if g.Title != "" {
		b.Title, b.Changed = g.Title, now.UTC()
	}
	if err := b.check(); err != nil {
		return err
	}
	if r.Phase == Doors && r.Current != b.ID {
		// The one whose doors are open stays announced, and late.
		r.Current = ""
	}
	b.LiveAt = now
	r.set(i, b)
	r.enter(Live, b.ID, now)
	tell(NewsLive, b.Title)
	return nil
}

func (g GoLive) which(r *Record, now time.Time) string {
	if g.Broadcast != "" {
		return g.Broadcast
	}
	if r.Phase == Doors {
		return r.Current
	}
	if ahead := r.Ahead(); len(ahead) > 0 && !now.Before(ahead[0].DoorsAt().Add(-EarlyBy)) {
		return ahead[0].ID
	}
	return ""
}

// End ends what is live.
type End struct{}

func (End) do(r *Record, now time.Time, tell tell) error {
	if r.Phase != Live {
		return fmt.Errorf("%w: the station is not live", ErrConflict)
	}
	i := r.index(r.Current)
	b := r.Broadcasts[i]
	b.EndedAt = now
	r.set(i, b)
	r.enter(Ended, b.ID, now)
	tell(NewsEnd, b.Title)
	return nil
}

// SetHold lets the audience hear the hold although the station is on air, or ends that.
type SetHold struct{ On bool }

func (h SetHold) do(r *Record, now time.Time, tell tell) error {
	if r.Phase == Doors || r.Phase == Ended {
		return fmt.Errorf("%w: the audience hears the hold until you go live", ErrConflict)
	}
	if r.Hold == h.On {
		return nil
	}
	r.Hold, r.HoldAt = h.On, now.UTC()
	text := "off"
	if h.On {
		text = "on"
	}
	tell(NewsHold, text)
	return nil
}
