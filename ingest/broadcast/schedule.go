package broadcast

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The bounds of a broadcast's fields.
const (
	MostTitle       = 200  // characters
	MostDescription = 5000 // characters
	MostDoors       = 24 * time.Hour
	MostAhead       = 2 * 366 * 24 * time.Hour // of the start
)

// NewID returns an ID for a broadcast: ten lower-case letters and digits, which may
// stand in an address.
func NewID() string { return strings.ToLower(rand.Text()[:10]) }

// check says what is wrong with the text of b.
func (b Broadcast) check() error {
	if b.ID == "" {
		return fmt.Errorf("%w: a broadcast needs an ID", ErrInvalid)
	}
	if n := utf8.RuneCountInString(b.Title); n > MostTitle {
		return fmt.Errorf("%w: the title has %d characters, %d are the most", ErrInvalid, n, MostTitle)
	}
	if n := utf8.RuneCountInString(b.Description); n > MostDescription {
		return fmt.Errorf("%w: the description has %d characters, %d are the most", ErrInvalid, n, MostDescription)
	}
	if !utf8.ValidString(b.Title) || strings.ContainsFunc(b.Title, unicode.IsControl) {
		return fmt.Errorf("%w: a title is one line of text", ErrInvalid)
	}
	if !utf8.ValidString(b.Description) || strings.ContainsFunc(b.Description, func(c rune) bool { return unicode.IsControl(c) && c != '\n' }) {
		return fmt.Errorf("%w: a description is text", ErrInvalid)
	}
	return nil
}

// checkTimes says what is wrong with when b is announced for.
func (b Broadcast) checkTimes(now time.Time) error {
	switch {
	case !b.Start.After(now):
		return fmt.Errorf("%w: the start must be in the future", ErrInvalid)
	case b.Start.After(now.Add(MostAhead)):
		return fmt.Errorf("%w: the start is more than two years ahead", ErrInvalid)
	case b.Doors < 0 || b.Doors > MostDoors:
		return fmt.Errorf("%w: doors open 0 minutes to 24 hours before the start", ErrInvalid)
	}
	return nil
}

// Announce adds a broadcast: its ID, title, description, start and doors.
type Announce struct{ Broadcast Broadcast }

func (a Announce) do(r *Record, now time.Time, _ tell) error {
	b := Broadcast{ID: a.Broadcast.ID, Title: a.Broadcast.Title, Description: a.Broadcast.Description, Start: a.Broadcast.Start.UTC(), Doors: a.Broadcast.Doors, Changed: now.UTC()}
	if b.Title == "" {
		return fmt.Errorf("%w: a broadcast needs a title", ErrInvalid)
	}
	if err := b.check(); err != nil {
		return err
	}
	if err := b.checkTimes(now); err != nil {
		return err
	}
	if r.index(b.ID) >= 0 {
		return fmt.Errorf("%w: there is a broadcast %q already", ErrConflict, b.ID)
	}
	ahead := r.Ahead()
	if len(ahead) >= mostAhead {
		return fmt.Errorf("%w: %d broadcasts are announced, delete some first", ErrConflict, mostAhead)
	}
	if i := slices.IndexFunc(ahead, func(x Broadcast) bool { return x.Start.Equal(b.Start) }); i >= 0 {
		return fmt.Errorf("%w: %q is announced for the same time", ErrConflict, ahead[i].Title)
	}
	r.Broadcasts = append(slices.Clone(r.Broadcasts), b)
	return nil
}

// Change changes an announced broadcast; what is nil stays. Doors that are open stay so
// for as long as it begins within [MissedAfter].
type Change struct {
	ID                 string
	Title, Description *string
	Start              *time.Time
	Doors              *time.Duration
}

func (c Change) do(r *Record, now time.Time, _ tell) error {
	i, err := r.announced(c.ID)
	if err != nil {
		return err
	}
	b := r.Broadcasts[i]
	before := b
	if c.Title != nil {
		b.Title = *c.Title
	}
	if b.Title == "" {
		return fmt.Errorf("%w: a broadcast needs a title", ErrInvalid)
	}
	if c.Description != nil {
		b.Description = *c.Description
	}
	if c.Start != nil {
		b.Start = c.Start.UTC()
	}
	if c.Doors != nil {
		b.Doors = *c.Doors
	}
	if err := b.check(); err != nil {
		return err
	}
	if !b.Start.Equal(before.Start) || b.Doors != before.Doors {
		if err := b.checkTimes(now); err != nil {
			return err
		}
		if i := slices.IndexFunc(r.Ahead(), func(x Broadcast) bool { return x.ID != b.ID && x.Start.Equal(b.Start) }); i >= 0 {
			return fmt.Errorf("%w: another broadcast is announced for the same time", ErrConflict)
		}
	}
	b.Changed = now.UTC()
	r.set(i, b)
	if r.Phase != Doors || r.Current != b.ID {
		return nil
	}
	if r.Told && b.Start.After(now) {
		r.Told = false
	}
	if b.DoorsAt().After(now.Add(MissedAfter)) {
		r.enter(Ended, "", now)
	}
	return nil
}

// Cancel takes an announced broadcast back.
type Cancel struct{ ID string }

func (c Cancel) do(r *Record, now time.Time, _ tell) error {
	i, err := r.announced(c.ID)
	if err != nil {
		return err
	}
	r.Broadcasts = slices.Delete(slices.Clone(r.Broadcasts), i, i+1)
	r.Gone = joinGone(r.Gone, []string{c.ID})
	if r.Phase == Doors && r.Current == c.ID {
		r.enter(Ended, "", now)
	}
	return nil
}

// announced returns the place of a broadcast that has not begun.
func (r *Record) announced(id string) (int, error) {
	i := r.index(id)
	if i < 0 {
		return 0, fmt.Errorf("%w: there is no broadcast %q", ErrNotFound, id)
	}
	if !r.Broadcasts[i].ahead() {
		return 0, fmt.Errorf("%w: the broadcast %q is live or has ended", ErrConflict, r.Broadcasts[i].Title)
	}
	return i, nil
}
