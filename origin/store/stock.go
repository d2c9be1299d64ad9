package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"longwave/packager"
)

// A lane is one rendition of one station: what the items of a stock share.
type lane struct {
	station, rendition string
}

// A ref says which object of a station: what the key says, in a form that can be
// held for a million objects.
type ref struct {
	of   lane
	kind packager.Kind
	msn  int64
	part int
	hash string // of an init segment
}

func refOf(k packager.Key) ref {
	return ref{lane{k.Station, k.Rendition}, k.Kind, k.MSN, k.Part, k.Name}
}

// An item is an object that may be deleted one day.
type item struct {
	ref
	size     int64
	modified int64 // in Unix seconds
}

func (i item) key() packager.Key {
	return packager.Key{
		Station: i.of.station, Rendition: i.of.rendition,
		Kind: i.kind, MSN: i.msn, Part: i.part, Name: i.hash,
	}
}

// A stock is what a station has in the store.
type stock struct {
	name      string
	playlists []Name
	items     []item // init segments, segments and parts
	count     int    // of all objects
	bytes     int64  // of all objects
	err       error  // why nothing is deleted
}

// takeStock lists the store. Private objects are not part of it.
func takeStock(ctx context.Context, s Keep) ([]*stock, error) {
	var (
		all  []*stock
		last *stock
	)
	lanes := make(map[lane]lane) // so that a thousand items share two strings
	for info, err := range s.List(ctx, "", "") {
		if err != nil {
			return nil, err
		}
		station := info.Name.station()
		if station == "" {
			continue
		}
		if last == nil || last.name != station { // the names of a station come together
			last = &stock{name: strings.Clone(station)}
			all = append(all, last)
		}
		last.count++
		last.bytes += info.Size
		if strings.HasSuffix(string(info.Name), ".m3u8") {
			last.playlists = append(last.playlists, info.Name)
			continue
		}
		k, ok := info.Name.Key()
		if !ok || !k.Immutable() {
			continue
		}
		it := item{ref: refOf(k), size: info.Size, modified: info.Modified.Unix()}
		if of, seen := lanes[it.of]; seen {
			it.of = of
		} else {
			it.of = lane{last.name, strings.Clone(k.Rendition)}
			lanes[it.of] = it.of
		}
		it.hash = strings.Clone(it.hash)
		last.items = append(last.items, it)
	}
	return all, nil
}

// readPlaylists adds to named what the station's playlists name.
func (st *stock) readPlaylists(ctx context.Context, s Keep, named map[ref]bool) error {
	for _, n := range st.playlists {
		o, err := s.Get(ctx, n)
		if err != nil {
			return err
		}
		keys, err := namedBy(n, o.Data)
		if err != nil {
			return err
		}
		for _, k := range keys {
			named[refOf(k)] = true
		}
	}
	return nil
}

// old returns what of the station to delete, oldest first, init segments last.
func (st *stock) old(o RetainOptions, now time.Time, named map[ref]bool) []item {
	// By number and not by name: 1000000000 is not older than 999999999. Equal
	// numbers of all renditions go together.
	slices.SortFunc(st.items, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.msn, b.msn), cmp.Compare(a.part, b.part), cmp.Compare(a.of.rendition, b.of.rendition))
	})
	var (
		gone []item
		left = st.bytes
		rest = make(map[lane]int) // parts and segments of a rendition that stay
	)
	over := func(i item, age time.Duration) bool { return i.modified < now.Add(-max(age, minAge)).Unix() }
	owed := st.owed(o, over)
	// Parts and age first: what they free need not be taken from what is younger.
	st.items = slices.DeleteFunc(st.items, func(i item) bool {
		old := i.kind == packager.Part && over(i, o.PartAge) ||
			i.kind == packager.Segment && o.MaxAge > 0 && over(i, o.MaxAge)
		if !old || named[i.ref] || owed(i) {
			return false
		}
		gone = append(gone, i)
		left -= i.size
		return true
	})
	for _, i := range st.items {
		switch {
		case i.kind == packager.Init:
		case i.kind == packager.Segment && o.MaxBytes > 0 && left > o.MaxBytes && over(i, 0) && !named[i.ref]:
			gone = append(gone, i)
			left -= i.size
		default:
			rest[i.of]++
		}
	}
	for _, i := range st.items {
		if i.kind == packager.Init && rest[i.of] == 0 && over(i, 0) && !named[i.ref] {
			gone = append(gone, i)
		}
	}
	return gone
}

// owed returns what tells which segments beyond their age stay because another store
// is still to get them. The items are in their order.
func (st *stock) owed(o RetainOptions, over func(item, time.Duration) bool) func(item) bool {
	if o.Owed == nil {
		return func(item) bool { return false }
	}
	wanted := func(i item) bool {
		return i.kind == packager.Segment && (o.OwedAge == 0 || !over(i, o.OwedAge)) && o.Owed(i.key())
	}
	from, bytes := int64(0), int64(0)
	for _, i := range slices.Backward(st.items) {
		if !over(i, o.MaxAge) || !wanted(i) {
			continue
		}
		if bytes += i.size; o.OwedBytes > 0 && bytes > o.OwedBytes {
			from = i.msn + 1
			break
		}
	}
	return func(i item) bool { return i.msn >= from && wanted(i) }
}

// kindLabel is the value of the label "kind".
func kindLabel(k packager.Kind) string {
	switch k {
	case packager.Init:
		return "init"
	case packager.Segment:
		return "segment"
	case packager.Part:
		return "part"
	default:
		return fmt.Sprintf("kind %d", k)
	}
}
