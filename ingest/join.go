package ingest

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// mostRemoved bounds how many removed seats are remembered.
const mostRemoved = 64

// Stamps say when a host, or the speaker, last did something to a place, in milliseconds
// since the Unix epoch; 0 is never. What the desk does by itself has no stamp.
type Stamps struct {
	OnAirAt   int64 `json:"on_air_at,omitempty"`
	MutedAt   int64 `json:"muted_at,omitempty"`
	GainAt    int64 `json:"gain_at,omitempty"`
	RemovedAt int64 `json:"removed_at,omitempty"` // the last time that the place was given up
}

func stampNow() int64 { return time.Now().UnixMilli() }

// later returns the later of each, none of them after now.
func (s Stamps) later(o Stamps, now int64) Stamps {
	return Stamps{
		OnAirAt: max(s.OnAirAt, min(o.OnAirAt, now)), MutedAt: max(s.MutedAt, min(o.MutedAt, now)),
		GainAt: max(s.GainAt, min(o.GainAt, now)), RemovedAt: max(s.RemovedAt, min(o.RemovedAt, now)),
	}
}

// stamp notes what was done to s and those of its group. The desk's mutex is held, as
// below.
func (d *Desk) stamp(s *seat, done Stamps) {
	for _, p := range d.peers(s) {
		p.stamps = p.stamps.later(done, stampNow())
	}
}

// gone notes that a seat was taken back.
func (d *Desk) gone(id string, at int64) {
	d.removed[id] = max(d.removed[id], at)
	if len(d.removed) <= mostRemoved {
		return
	}
	oldest := slices.MinFunc(slices.Collect(maps.Keys(d.removed)), func(a, b string) int {
		return cmp.Compare(d.removed[a], d.removed[b])
	})
	delete(d.removed, oldest)
}

// goners are the places that were taken back and that nobody has again.
func (d *Desk) goners() []Place {
	var all []Place
	for _, id := range slices.Sorted(maps.Keys(d.removed)) {
		if d.seats[id] == nil {
			all = append(all, Place{Seat: id, Gone: true, Stamps: Stamps{RemovedAt: d.removed[id]}})
		}
	}
	return all
}

// Join takes in what a twin's desk knows of places that are here, too: of air, mute and
// fader the one that was touched later holds, and who was removed there is removed here
// unless they came again since.
func (d *Desk) Join(places []Place) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := stampNow()
	for _, p := range places {
		p.Stamps = Stamps{}.later(p.Stamps, now)
		s := d.seats[p.Seat]
		if p.Gone && p.RemovedAt > d.removed[p.Seat] {
			d.gone(p.Seat, p.RemovedAt)
			if s != nil && (s.lane == nil || s.lane.opened.UnixMilli() < p.RemovedAt) {
				d.expel(s)
				s = nil
			}
		}
		if s != nil {
			d.joinPlace(s, p)
		}
	}
	d.news.tell()
}

// joinPlace takes in one place. Where nobody did anything on either side the desks
// themselves disagree: then on air, muted and the lower fader hold, so that no twin
// silences the other's programme and none is louder than it was.
func (d *Desk) joinPlace(s *seat, p Place) {
	wins := func(theirs, mine int64, tie bool) bool {
		theirs, mine = max(theirs, p.RemovedAt), max(mine, s.stamps.RemovedAt)
		return theirs > mine || theirs == mine && tie
	}
	if p.OnAir != s.onAir && wins(p.OnAirAt, s.stamps.OnAirAt, p.OnAir) {
		d.setOnAir(s, p.OnAir)
	}
	if p.Muted != s.muted && wins(p.MutedAt, s.stamps.MutedAt, p.Muted) {
		d.setMute(s, p.Muted)
	}
	gain := min(max(p.GainDB, LeastGain), MostGain)
	if gain != s.gainDB && wins(p.GainAt, s.stamps.GainAt, gain < s.gainDB) {
		d.setGain(s, gain)
	}
	d.stamp(s, p.Stamps)
}
