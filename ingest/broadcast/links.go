package broadcast

import (
	"fmt"
	"slices"
	"time"

	"longwave/ingest"
)

// Issue remembers a link that was made.
type Issue struct{ Link Link }

func (i Issue) do(r *Record, now time.Time, _ tell) error {
	links := pruned(r.Links, now)
	if len(links) >= mostLinks {
		return fmt.Errorf("%w: %d links are valid, let some expire first", ErrConflict, mostLinks)
	}
	l := i.Link
	if l.ID == "" {
		return fmt.Errorf("%w: a link needs an ID", ErrInvalid)
	}
	if slices.ContainsFunc(links, func(x Link) bool { return x.ID == l.ID }) {
		return fmt.Errorf("%w: the ID %q was given before, try again", ErrConflict, l.ID)
	}
	l.Created, l.Revoked = now.UTC(), time.Time{}
	r.Links = append(slices.Clone(links), l)
	return nil
}

// Revoke makes a token useless: a link of the list by its ID, or with Foreign one that
// was made elsewhere, whose name and expiry it says.
type Revoke struct {
	ID      string
	Foreign *Link
}

func (v Revoke) do(r *Record, now time.Time, _ tell) error {
	i := slices.IndexFunc(r.Links, func(l Link) bool { return l.ID == v.ID })
	switch {
	case i < 0 && v.Foreign == nil:
		return fmt.Errorf("%w: there is no link %q", ErrNotFound, v.ID)
	case i < 0:
		l := *v.Foreign
		l.ID, l.Created, l.Revoked = v.ID, now.UTC(), now.UTC()
		r.Links = append(slices.Clone(r.Links), l)
	case r.Links[i].Revoked.IsZero():
		r.Links = slices.Clone(r.Links)
		r.Links[i].Revoked = now.UTC()
	}
	return nil
}

// pruned returns the links without those that have expired: a token says itself that it
// has.
func pruned(links []Link, now time.Time) []Link {
	old := func(l Link) bool { return !l.Expires.IsZero() && !now.Before(l.Expires) }
	if !slices.ContainsFunc(links, old) {
		return links
	}
	return slices.DeleteFunc(slices.Clone(links), old)
}

// seat remembers what the host made of the speakers.
type seat struct{ places []ingest.Place }

func (s seat) do(r *Record, _ time.Time, _ tell) error {
	r.Places = s.places
	return nil
}
