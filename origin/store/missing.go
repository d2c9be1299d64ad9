package store

import (
	"context"
	"fmt"
	"iter"

	"longwave/packager"
)

// A Lister lists a store; see [Sweeper].
type Lister interface {
	List(ctx context.Context, prefix string, after Name) iter.Seq2[Info, error]
}

// Missing yields the segments and init segments of a station that from has and in does
// not. Both are listed once, a rendition after the other, in from the place where from
// begins; so it does not matter how much older things in has. An object that is put
// meanwhile may be yielded though both have it. An error is the last thing yielded.
func Missing(ctx context.Context, station string, from, in Lister) iter.Seq2[packager.Key, error] {
	return func(yield func(packager.Key, error) bool) {
		o := other{in: in}
		defer o.close()
		for info, err := range from.List(ctx, station+"/", "") {
			if err != nil {
				yield(packager.Key{}, fmt.Errorf("look for what is missing: %w", err))
				return
			}
			k, ok := info.Name.Key()
			if !ok || k.Kind != packager.Segment && k.Kind != packager.Init {
				continue
			}
			has, err := o.has(ctx, info.Name, k)
			if err != nil {
				yield(packager.Key{}, fmt.Errorf("look for what is missing: %w", err))
				return
			}
			if !has && !yield(k, nil) {
				return
			}
		}
	}
}

// An other is the store that is compared, one rendition at a time.
type other struct {
	in        Lister
	rendition string
	next      func() (Info, error, bool)
	stop      func()
	at        Name // the newest that was listed; empty: nothing yet
	ended     bool
}

// has reports whether the store has n. Names are asked for in their order.
func (o *other) has(ctx context.Context, n Name, k packager.Key) (bool, error) {
	if o.next == nil || o.rendition != k.Rendition {
		o.close()
		// What comes after all but the last byte of a name begins with the name.
		o.next, o.stop = iter.Pull2(o.in.List(ctx, k.Station+"/"+k.Rendition+"/", n[:len(n)-1]))
		o.rendition, o.at, o.ended = k.Rendition, "", false
	}
	for !o.ended && o.at < n {
		info, err, ok := o.next()
		switch {
		case err != nil:
			return false, err
		case !ok:
			o.ended = true
		default:
			o.at = info.Name
		}
	}
	return !o.ended && o.at == n, nil
}

func (o *other) close() {
	if o.stop != nil {
		o.stop()
	}
}
