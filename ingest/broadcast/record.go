package broadcast

import (
	"errors"
	"slices"
	"time"

	"longwave/ingest"
	"longwave/ingest/token"
)

// Why a deed is refused. The texts around them say what to do.
var (
	// ErrNotFound means that there is no such broadcast or link.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that it cannot be done in this phase.
	ErrConflict = errors.New("not now")
	// ErrInvalid means that a value is out of its range.
	ErrInvalid = errors.New("not valid")
)

// A Phase is where a station stands. Its text is part of the API.
type Phase string

// The phases.
const (
	Auto      Phase = "auto"      // nothing is announced: the first voice goes on air by itself
	Scheduled Phase = "scheduled" // as auto, and a broadcast is announced
	Doors     Phase = "doors"     // the audience gathers and hears the hold
	Live      Phase = "live"
	Ended     Phase = "ended" // the hold, until everybody has left
)

// The bounds of a record.
const (
	EndedFor    = 10 * time.Minute // how long "ended" is shown at least
	MissedAfter = 12 * time.Hour   // after its start, a broadcast that never went live is given up
	EarlyBy     = time.Hour        // before its doors, going live takes the announced broadcast

	mostAhead  = 200  // broadcasts announced
	mostBehind = 50   // broadcasts ended that are remembered
	mostLinks  = 1000 // links that are valid
	mostPlaces = 256
)

// A Broadcast is one event of a station.
type Broadcast struct {
	ID          string        `json:"id"`
	Title       string        `json:"title"`
	Description string        `json:"description,omitempty"`
	Start       time.Time     `json:"start,omitzero"` // zero: it was not announced
	Doors       time.Duration `json:"doors_ns,omitempty"`
	LiveAt      time.Time     `json:"live_at,omitzero"`
	EndedAt     time.Time     `json:"ended_at,omitzero"` // without LiveAt: it never took place
	Changed     time.Time     `json:"changed,omitzero"`  // when a host last said what is announced
}

// DoorsAt is when the doors open: zero when it was not announced.
func (b Broadcast) DoorsAt() time.Time {
	if b.Start.IsZero() {
		return time.Time{}
	}
	return b.Start.Add(-b.Doors)
}

// Late is how long after its announced start b went live, or by how much it is late now.
func (b Broadcast) Late(now time.Time) time.Duration {
	at := now
	switch {
	case b.Start.IsZero():
		return 0
	case !b.LiveAt.IsZero():
		at = b.LiveAt
	case !b.EndedAt.IsZero():
		return 0
	}
	return max(at.Sub(b.Start), 0)
}

// ahead reports that b is announced and has not begun.
func (b Broadcast) ahead() bool { return b.LiveAt.IsZero() && b.EndedAt.IsZero() }

// A Link is a token that was issued. The token itself is not kept.
type Link struct {
	ID       string     `json:"id"` // the token's
	Role     token.Role `json:"role"`
	Name     string     `json:"name"`
	Music    bool       `json:"music,omitempty"`
	Feed     bool       `json:"feed,omitempty"`
	Group    string     `json:"group,omitempty"`
	Priority int        `json:"priority,omitempty"`
	Created  time.Time  `json:"created"`
	Expires  time.Time  `json:"expires,omitzero"` // zero: never
	Revoked  time.Time  `json:"revoked,omitzero"` // zero: it is not
}

// A Record is all that lasts of a station: the JSON object in the store. The zero value
// is a station in auto mode. Its slices are never changed in place.
type Record struct {
	Phase      Phase          `json:"phase"`
	Since      time.Time      `json:"since,omitzero"`    // of the phase
	Current    string         `json:"current,omitempty"` // the broadcast of doors, live, ended
	Hold       bool           `json:"hold,omitempty"`    // the audience hears the hold although the fader could be up
	Told       bool           `json:"told,omitempty"`    // that the current one is late
	HoldAt     time.Time      `json:"hold_at,omitzero"`  // when Hold changed
	Broadcasts []Broadcast    `json:"broadcasts,omitempty"`
	Gone       []string       `json:"gone,omitempty"` // IDs of broadcasts that were taken back
	Links      []Link         `json:"links,omitempty"`
	Places     []ingest.Place `json:"places,omitempty"`
}

// Broadcast returns the broadcast with this ID.
func (r Record) Broadcast(id string) (Broadcast, bool) {
	if i := r.index(id); i >= 0 {
		return r.Broadcasts[i], true
	}
	return Broadcast{}, false
}

func (r Record) index(id string) int {
	if id == "" {
		return -1
	}
	return slices.IndexFunc(r.Broadcasts, func(b Broadcast) bool { return b.ID == id })
}

// State returns the state of a broadcast of r: scheduled, doors, live or ended.
func (r Record) State(b Broadcast) Phase {
	switch {
	case !b.EndedAt.IsZero():
		return Ended
	case !b.LiveAt.IsZero():
		return Live
	case r.Phase == Doors && r.Current == b.ID:
		return Doors
	}
	return Scheduled
}

// Ahead returns the broadcasts that have not begun and are not the current one, the
// earliest start first. Doors open in this order, whatever they were announced for.
func (r Record) Ahead() []Broadcast {
	var all []Broadcast
	for _, b := range r.Broadcasts {
		if b.ahead() && b.ID != r.Current {
			all = append(all, b)
		}
	}
	slices.SortStableFunc(all, func(a, b Broadcast) int { return a.Start.Compare(b.Start) })
	return all
}

// Shown returns the current broadcast, or where there is none the next one, and the one
// after it. Where there are fewer, IDs are empty.
func (r Record) Shown() (current, next Broadcast) {
	ahead := r.Ahead()
	current, ok := r.Broadcast(r.Current)
	if !ok && len(ahead) > 0 {
		current, ahead = ahead[0], ahead[1:]
	}
	if len(ahead) > 0 {
		next = ahead[0]
	}
	return current, next
}

// Open says whether the programme's fader is up.
func (r Record) Open() bool {
	return !r.Hold && r.Phase != Doors && r.Phase != Ended
}

// Unattended says whether the first voice goes on air by itself.
func (r Record) Unattended() bool {
	return r.Phase != Doors && r.Phase != Live && r.Phase != Ended
}

// Revoked reports that a token was revoked.
func (r Record) Revoked(id string) bool {
	i := slices.IndexFunc(r.Links, func(l Link) bool { return l.ID == id })
	return i >= 0 && !r.Links[i].Revoked.IsZero()
}

// Sorted returns all broadcasts by when they were or will be.
func (r Record) Sorted() []Broadcast {
	all := slices.Clone(r.Broadcasts)
	when := func(b Broadcast) time.Time {
		if !b.LiveAt.IsZero() {
			return b.LiveAt
		}
		return b.Start
	}
	slices.SortStableFunc(all, func(a, b Broadcast) int { return when(a).Compare(when(b)) })
	return all
}
