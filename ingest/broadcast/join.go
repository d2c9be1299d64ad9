package broadcast

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// mostGone is how many broadcasts that were taken back are remembered.
const mostGone = 200

// A Join takes in what a twin's record knows and this one does not: twins are told the
// same deeds, and one that was down missed some. Broadcasts and links are united, a
// broadcast only ever gets further in its life, what was revoked or taken back stays so,
// and of two texts or switches the later one holds. So in whatever order and however
// often twins take in each other's records, all come to the same ([Record.Sum]).
type Join struct{ Record Record }

func (j Join) do(r *Record, now time.Time, tell tell) error {
	o := j.Record
	o.Broadcasts = slices.Clone(o.Broadcasts)
	o.mend()
	o.unsettle(now)
	r.Gone = joinGone(r.Gone, o.Gone)
	r.Broadcasts = joinBroadcasts(r, o)
	links, err := joinLinks(pruned(r.Links, now), pruned(o.Links, now))
	if err != nil {
		return err
	}
	r.Links = links
	r.joinPhase(o, now, tell)
	r.joinHold(o, now, tell)
	return nil
}

// unsettle takes back times that have not come: nobody is to have the last word for ever.
func (r *Record) unsettle(now time.Time) {
	if r.HoldAt.After(now) {
		r.HoldAt = now
	}
	for i := range r.Broadcasts {
		b := &r.Broadcasts[i]
		for _, t := range []*time.Time{&b.Changed, &b.LiveAt, &b.EndedAt} {
			if t.After(now) {
				*t = now
			}
		}
	}
}

func joinGone(a, b []string) []string {
	all := slices.Clone(a)
	for _, id := range b {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all[max(len(all)-mostGone, 0):]
}

// joinBroadcasts unites the broadcasts of r and o without those that were taken back. One
// that cannot be kept is left out.
func joinBroadcasts(r *Record, o Record) []Broadcast {
	all := slices.Clone(r.Broadcasts)
	for _, b := range o.Broadcasts {
		if b.check() != nil || b.Doors < 0 || b.Doors > MostDoors {
			continue
		}
		if i := slices.IndexFunc(all, func(x Broadcast) bool { return x.ID == b.ID }); i >= 0 {
			all[i] = all[i].join(b)
		} else if len(all) < mostAhead+mostBehind {
			all = append(all, b)
		}
	}
	all = slices.DeleteFunc(all, func(b Broadcast) bool { return b.ahead() && slices.Contains(r.Gone, b.ID) })
	// Two that are live were begun on one twin each: the later one is meant.
	live := slices.MaxFunc(append([]Broadcast{{}}, all...), func(a, b Broadcast) int {
		return cmp.Or(cmp.Compare(a.running(), b.running()), a.LiveAt.Compare(b.LiveAt), strings.Compare(a.ID, b.ID))
	})
	for i, b := range all {
		if b.running() == 1 && b.ID != live.ID {
			all[i].EndedAt = live.LiveAt
		}
	}
	return all
}

// running is 1 for a broadcast that is live, else 0.
func (b Broadcast) running() int {
	if !b.LiveAt.IsZero() && b.EndedAt.IsZero() {
		return 1
	}
	return 0
}

// join returns what b is by two records.
func (b Broadcast) join(c Broadcast) Broadcast {
	out := b
	if cmp.Or(c.Changed.Compare(b.Changed), strings.Compare(c.text(), b.text())) > 0 {
		out = c
	}
	out.LiveAt, out.EndedAt = earliest(b.LiveAt, c.LiveAt), earliest(b.EndedAt, c.EndedAt)
	return out
}

// text is what is announced of b.
func (b Broadcast) text() string {
	return fmt.Sprintf("%q %q %d %d", b.Title, b.Description, unix(b.Start), b.Doors)
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// earliest returns the earlier of two times, of which the zero one is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func joinLinks(a, b []Link) ([]Link, error) {
	all := slices.Clone(a)
	for _, l := range b {
		i := slices.IndexFunc(all, func(x Link) bool { return x.ID == l.ID })
		switch {
		case i >= 0:
			all[i].Revoked = earliest(all[i].Revoked, l.Revoked)
		case l.ID == "":
		case len(all) >= mostLinks:
			return nil, fmt.Errorf("%w: %d links are valid, let some expire first", ErrConflict, mostLinks)
		default:
			all = append(all, l)
		}
	}
	return all, nil
}

// joinPhase moves r to where its broadcasts are now.
func (r *Record) joinPhase(o Record, now time.Time, tell tell) {
	i := slices.IndexFunc(r.Broadcasts, func(b Broadcast) bool { return b.running() == 1 })
	current, _ := r.Broadcast(r.Current)
	switch {
	case i >= 0 && (r.Phase != Live || r.Current != r.Broadcasts[i].ID):
		r.enter(Live, r.Broadcasts[i].ID, now)
		tell(NewsLive, r.Broadcasts[i].Title)
	case i >= 0:
	case r.Phase == Live, r.Phase == Doors && !current.ahead():
		r.enter(Ended, current.ID, now)
		tell(NewsEnd, current.Title)
	case r.Phase == Doors && current.ID == "": // taken back
		r.enter(Ended, "", now)
	case o.Since.After(r.Since) && !o.Since.After(now):
		r.follow(o)
	}
}

// follow takes over doors that were opened or an end that came on the other side since: so
// nobody who is still here goes on air by this record's not knowing of it.
func (r *Record) follow(o Record) {
	b, _ := r.Broadcast(o.Current)
	switch {
	case o.Phase == Doors && b.ahead() && b.ID != "":
		r.enter(Doors, b.ID, o.Since)
	case o.Phase == Ended && (b.ID == "" || !b.EndedAt.IsZero()):
		r.enter(Ended, b.ID, o.Since)
	}
}

func (r *Record) joinHold(o Record, now time.Time, tell tell) {
	later := o.HoldAt.Compare(r.HoldAt)
	if later < 0 || later == 0 && (r.Hold || !o.Hold) {
		return
	}
	on := o.Hold && r.Phase != Doors && r.Phase != Ended
	if on != r.Hold {
		_ = SetHold{on}.do(r, now, tell) // allowed in this phase
	}
	r.HoldAt = o.HoldAt
}

// Sum returns a short text that is the same for records that a [Join] would not change.
func (r Record) Sum() string {
	var lines []string
	for _, b := range r.Broadcasts {
		lines = append(lines, fmt.Sprintf("b %q %s %d %d", b.ID, b.text(), unix(b.LiveAt), unix(b.EndedAt)))
	}
	for _, l := range r.Links {
		lines = append(lines, fmt.Sprintf("l %q %t", l.ID, l.Revoked.IsZero()))
	}
	for _, id := range r.Gone {
		lines = append(lines, fmt.Sprintf("g %q", id))
	}
	slices.Sort(lines)
	lines = append(lines, fmt.Sprint("h ", unix(r.HoldAt)))
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}
