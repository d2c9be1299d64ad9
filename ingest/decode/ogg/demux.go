package ogg

import (
	"errors"
	"fmt"
)

// ErrMultiplexed means that several logical streams run side by side.
var ErrMultiplexed = errors.New("ogg: several streams side by side")

// maxPacket bounds a packet that spans pages: set-up headers and comments with
// a picture are the greatest that occur.
const maxPacket = 4 << 20

// A Group is what one page completes. Its slices hold until the next Feed.
type Group struct {
	Page Page
	// Packets are the packets that end on the page, the first of which may have
	// begun on an earlier one. The page's granule belongs to the last.
	Packets [][]byte
	// First says that the page begins a link of the chain: its only packet is
	// the codec's identification header.
	First bool
	// Hole says that pages were lost before this one.
	Hole bool
}

// A Demuxer follows the sound of an Ogg stream from link to link of its chain.
// The zero value is ready for use.
type Demuxer struct {
	pages   Pages
	open    bool
	serial  uint32
	seq     uint32 // of the next page
	bare    bool   // only the first page of the link came so far
	partial []byte
	torn    bool // the start of the packet under way was lost
}

// Feed adds b to what Next looks at. It invalidates the groups given before.
func (d *Demuxer) Feed(b []byte) { d.pages.Feed(b) }

// Skipped returns how many bytes did not belong to a valid page.
func (d *Demuxer) Skipped() int64 { return d.pages.Skipped() }

// Next returns what the next page completes, which may be no packet at all;
// false means that more bytes are needed. Pages of a stream that did not begin
// with its first page are passed over. It returns [ErrMultiplexed] when two
// streams begin together.
func (d *Demuxer) Next() (Group, bool, error) {
	for {
		page, ok := d.pages.Next()
		if !ok {
			return Group{}, false, nil
		}
		g := Group{Page: page}
		switch {
		case page.First:
			if d.open && d.bare && page.Serial != d.serial {
				return Group{}, false, ErrMultiplexed
			}
			*d = Demuxer{pages: d.pages, open: true, serial: page.Serial, seq: page.Seq, bare: true}
			g.First = true
		case !d.open || page.Serial != d.serial:
			continue
		default:
			d.bare = false
		}
		g.Hole = page.Seq != d.seq
		d.seq = page.Seq + 1
		if err := d.cut(&g); err != nil {
			return Group{}, false, err
		}
		return g, true, nil
	}
}

// cut puts the packets that end on g's page into g (RFC 3533 section 5).
func (d *Demuxer) cut(g *Group) error {
	if g.Hole || !g.Page.Continued || d.partial == nil {
		d.partial = nil
		d.torn = g.Page.Continued
	}
	body := g.Page.Body
	n := 0
	for _, l := range g.Page.Lacing {
		n += int(l)
		if l == 255 {
			continue
		}
		switch {
		case d.torn:
			d.torn = false
		case d.partial != nil:
			g.Packets = append(g.Packets, append(d.partial, body[:n]...))
			d.partial = nil
		default:
			g.Packets = append(g.Packets, body[:n:n])
		}
		body, n = body[n:], 0
	}
	if n == 0 || d.torn {
		return nil
	}
	if len(d.partial)+n > maxPacket {
		return fmt.Errorf("ogg: packet of more than %d bytes", maxPacket)
	}
	d.partial = append(d.partial, body[:n]...)
	return nil
}
