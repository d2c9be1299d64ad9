package ingest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"longwave/ingest/pcm"
	"longwave/ingest/token"
)

// returnFrames is how many frames a return holds for a reader that is late; then the
// oldest goes.
const returnFrames = 3

// A Return is what a remote speaker hears: everybody but themselves, a frame of
// 20 ms at a time. One goroutine reads.
type Return struct {
	frames chan *[pcm.FrameLen]float32 // full
	free   chan *[pcm.FrameLen]float32
	done   chan struct{}
	once   sync.Once
	why    error
	leave  func()
}

func newReturn() *Return {
	r := &Return{
		frames: make(chan *[pcm.FrameLen]float32, returnFrames),
		free:   make(chan *[pcm.FrameLen]float32, returnFrames+1),
		done:   make(chan struct{}),
	}
	for range returnFrames + 1 {
		r.free <- new([pcm.FrameLen]float32)
	}
	return r
}

// Put implements [mix.Return]: it never blocks; the oldest frame goes when the reader
// is late.
func (r *Return) Put(frame []float32) {
	var buf *[pcm.FrameLen]float32
	select {
	case buf = <-r.free:
	case buf = <-r.frames:
	default:
		return
	}
	copy(buf[:], frame)
	select {
	case r.frames <- buf:
	default:
		r.free <- buf
	}
}

// Next waits for the next frame and copies it to dst, [pcm.FrameLen] values. It
// returns [ErrClosed] after Close and when the host removed the speaker.
func (r *Return) Next(ctx context.Context, dst []float32) error {
	select {
	case buf := <-r.frames:
		copy(dst, buf[:])
		r.free <- buf
		return nil
	case <-r.done:
		return r.why
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the return.
func (r *Return) Close() {
	r.close(ErrClosed)
	r.leave()
}

func (r *Return) close(why error) {
	r.once.Do(func() {
		r.why = why
		close(r.done)
	})
}

// An ear is a return at the desk.
type ear struct {
	seat string
	ret  *Return
}

// OpenReturn opens what the speaker of c hears. The token's seat need not speak yet;
// a second return of one token ends the first. The caller must Close it.
func (g *Gate) OpenReturn(c Claim) (*Return, error) {
	c, t, err := g.know(c)
	if err != nil {
		return nil, err
	}
	t.Name = c.Name
	return g.programmes[c.Station].desk.listen(t), nil
}

// listen opens a return for a seat.
func (d *Desk) listen(t token.Token) *Return {
	r := newReturn()
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.seats[t.ID]
	if s == nil {
		s = d.newSeat(t.ID, t)
	}
	s.token, s.name = t, cmp.Or(t.Name, s.name) // of a place that was restored not all is known
	if t.Role == token.Host {
		d.decide(s, t)
	}
	d.deafenAll(s, ErrTakenOver)
	d.count++
	id := fmt.Sprintf("%s#%d", t.ID, d.count)
	d.ears[id] = &ear{seat: t.ID, ret: r}
	s.returns++
	r.leave = func() { d.deafen(id) }
	d.mixer.AddReturn(id, r)
	d.route()
	return r
}

// deafen ends a return.
func (d *Desk) deafen(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.ears[id]
	if e == nil {
		return
	}
	delete(d.ears, id)
	d.mixer.RemoveReturn(id)
	if s := d.seats[e.seat]; s != nil {
		s.returns--
	}
}

// deafenAll ends the returns of a seat.
func (d *Desk) deafenAll(s *seat, why error) {
	for id, e := range d.ears {
		if e.seat == s.id {
			e.ret.close(why)
			delete(d.ears, id)
			d.mixer.RemoveReturn(id)
			s.returns--
		}
	}
}

// route tells the mixer who is on air and who hears whom. The desk's mutex is held.
func (d *Desk) route() {
	for id, s := range d.seats {
		for _, lane := range d.lanes(s) {
			d.mixer.SetOnAir(lane, s.onAir && len(d.talks[id]) == 0)
		}
	}
	for id, e := range d.ears {
		var lanes, talk []string
		for from, s := range d.seats {
			if !d.hears(e.seat, from) {
				continue
			}
			own := d.lanes(s)
			lanes = append(lanes, own...)
			if len(d.talks[from]) > 0 { // then they talk to this one, above all others
				talk = append(talk, own...)
			}
		}
		d.mixer.Route(id, lanes, talk...)
	}
}

// hears says whether the listener's seat hears the speaker's.
func (d *Desk) hears(listener, speaker string) bool {
	to, from := d.seats[listener], d.seats[speaker]
	switch talk := d.talks[speaker]; {
	case listener == speaker || to == nil || from.token.Group != "" && from.token.Group == to.token.Group:
		return false
	case len(talk) > 0:
		return slices.Contains(talk, listener)
	case from.onAir:
		return true
	default:
		return !to.onAir || slices.Contains(d.cues[listener], speaker)
	}
}
