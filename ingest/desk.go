package ingest

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"longwave/ingest/feed"
	"longwave/ingest/mix"
	"longwave/ingest/pcm"
	"longwave/ingest/token"
)

// ErrNoSeat means that there is nobody with this seat.
var ErrNoSeat = errors.New("no such speaker")

// ErrRemoved is why a lane ends that the host removed.
var ErrRemoved = fmt.Errorf("removed by the host: %w", ErrClosed)

// The faders' range, in dB.
const (
	LeastGain = -60
	MostGain  = 12
)

// A Speaker is a seat as the host sees it.
type Speaker struct {
	Seat  string // the token's ID, or transport:name for the operator's own inputs
	Name  string
	Role  token.Role // zero for the operator's own inputs
	Feed  bool       // a finished programme, not a voice
	Music bool
	Connection
	OnAir    bool // false: in the green room
	Muted    bool
	GainDB   float64
	Group    string // of feeds of which one is heard; empty: none
	Priority int    // in the group
	Heard    bool   // false: another feed of the group is
	// Contested says that two connections take the seat from each other.
	Contested bool
	Level     mix.LaneLevel // zero while away or not heard
}

// A Connection is how a speaker is connected; zero while they are away and their seat
// is kept.
type Connection struct {
	Connected bool
	Transport string
	Remote    string
	Since     time.Time
}

// A Desk is where a programme's host works: who is there, who is on air, how loud,
// and who hears whom. It is safe for concurrent use.
//
// Who hears whom in the returns: whoever is on air is heard by everybody but
// themselves, and those in the green room hear each other too. A host may listen to
// somebody in the green room (cue) and speak to some people instead of to the
// audience (talkback). Nobody hears themselves, ever.
type Desk struct {
	mixer *mix.Mixer
	feeds feed.Options
	log   *slog.Logger

	mu    sync.Mutex
	auto  bool
	open  bool
	seats map[string]*seat
	parting
	count  int // lanes so far
	closed time.Time
	ears   map[string]*ear
	groups map[string]*group
	cues   map[string][]string // by the host's seat
	talks  map[string][]string // the same; nil: to the audience
	news   news
}

func newDesk(m *mix.Mixer, feeds feed.Options, log *slog.Logger) *Desk {
	return &Desk{
		mixer: m, feeds: feeds, log: log, groups: map[string]*group{}, parting: parting{removed: map[string]int64{}}, auto: true, open: true, seats: map[string]*seat{}, ears: map[string]*ear{},
		cues: map[string][]string{}, talks: map[string][]string{}, news: news{changed: make(chan struct{})},
	}
}

// Speakers returns who is there, in the order in which they came.
func (d *Desk) Speakers() []Speaker {
	levels := map[string]mix.LaneLevel{}
	for _, l := range d.mixer.Levels(nil) {
		levels[l.ID] = l
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []Speaker
	for _, id := range d.sorted() {
		s := d.seats[id]
		x := Speaker{
			Seat: id, Name: s.name, Role: s.token.Role, Feed: s.token.Feed, Music: s.token.Music,
			Group: s.token.Group, Priority: s.token.Priority,
			OnAir: s.onAir, Muted: s.muted, GainDB: s.gainDB, Contested: s.contested(time.Now()),
		}
		if l := s.lane; l != nil {
			x.Connection = Connection{Connected: true, Transport: l.claim.Transport, Remote: l.claim.Remote, Since: l.opened}
			x.Heard = d.heard(s)
			if x.Heard {
				x.Level = levels[d.lane(s)]
			}
		}
		all = append(all, x)
	}
	return all
}

// A Place is what the desk keeps of a seat over a restart.
type Place struct {
	Seat   string     `json:"seat"`
	Name   string     `json:"name"`
	Role   token.Role `json:"role,omitempty"`
	OnAir  bool       `json:"on_air"`
	Muted  bool       `json:"muted"`
	GainDB float64    `json:"gain_db"`
	Stamps
	// Gone says that nobody has it: the host removed who had.
	Gone bool `json:"gone,omitempty"`
}

// Places returns what is to be kept of the seats that belong to tokens: first those that
// were removed, then the others in the order in which they came.
func (d *Desk) Places() []Place {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.goners()
	for _, id := range d.sorted() {
		if s := d.seats[id]; s.token.ID != "" {
			all = append(all, Place{Seat: id, Name: s.name, Role: s.token.Role, OnAir: s.onAir, Muted: s.muted, GainDB: s.gainDB, Stamps: s.stamps})
		}
	}
	return all
}

// Restore sets places out for those who had them before a restart; places that are
// taken stay as they are.
func (d *Desk) Restore(places []Place) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range places {
		if p.Gone {
			d.gone(p.Seat, p.RemovedAt)
			continue
		}
		if d.seats[p.Seat] != nil {
			continue
		}
		d.count++
		d.seats[p.Seat] = &seat{
			id: p.Seat, token: token.Token{ID: p.Seat, Role: p.Role}, name: p.Name, order: d.count, left: time.Now(),
			onAir: p.OnAir, decided: true, muted: p.Muted, gainDB: min(max(p.GainDB, LeastGain), MostGain), stamps: p.Stamps,
		}
	}
}

// ResetLoudness begins a new integrated loudness: a broadcast begins.
func (d *Desk) ResetLoudness() { d.mixer.ResetLoudness() }

// SetAuto says whether the first voice goes on air by itself while no host is here. When
// that ends, a broadcast begins or its doors open, and the hosts are on air.
func (d *Desk) SetAuto(auto bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.auto == auto {
		return
	}
	d.auto = auto
	for _, s := range d.seats {
		if !auto && s.token.Role == token.Host && !s.onAir {
			d.log.Info("the host is on air: doors opened or a broadcast began", "speaker", s.name)
			d.setOnAir(s, true)
		}
	}
}

// SetOpen moves the programme's fader: closed, the audience hears the hold, and the
// speakers each other.
func (d *Desk) SetOpen(open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == open {
		return
	}
	d.open = open
	d.mixer.SetOpen(open)
	d.news.tell()
}

// SetOnAir takes a speaker on air or back to the green room.
func (d *Desk) SetOnAir(id string, on bool) error {
	return d.change(id, func(s *seat) {
		d.setOnAir(s, on)
		d.stamp(s, Stamps{OnAirAt: stampNow()})
	})
}

func (d *Desk) setOnAir(s *seat, on bool) {
	s.decided = true
	if s.onAir == on {
		return
	}
	for _, p := range d.peers(s) {
		p.onAir, p.decided = on, true
	}
	kind := EventOnAir
	if !on {
		kind = EventOffAir
	}
	d.event(kind, s.id, s.name)
	d.route()
}

// SetMute mutes a speaker for everybody, or lets them be heard.
func (d *Desk) SetMute(id string, muted bool) error {
	return d.change(id, func(s *seat) {
		d.setMute(s, muted)
		d.stamp(s, Stamps{MutedAt: stampNow()})
	})
}

func (d *Desk) setMute(s *seat, muted bool) {
	for _, p := range d.peers(s) {
		p.muted = muted
		for _, lane := range d.lanes(p) {
			d.mixer.SetMute(lane, muted)
		}
	}
}

// SetGain moves a speaker's fader, [LeastGain] to [MostGain].
func (d *Desk) SetGain(id string, db float64) error {
	if !(db >= LeastGain && db <= MostGain) {
		return fmt.Errorf("gain %g dB: use %d to %d", db, LeastGain, MostGain)
	}
	return d.change(id, func(s *seat) {
		d.setGain(s, db)
		d.stamp(s, Stamps{GainAt: stampNow()})
	})
}

func (d *Desk) setGain(s *seat, db float64) {
	for _, p := range d.peers(s) {
		p.gainDB = db
		for _, lane := range d.lanes(p) {
			d.mixer.SetGain(lane, db)
		}
	}
}

// Remove ends a speaker's connection at once, with all that it holds, and gives up their
// place: when they come again they wait in the green room.
func (d *Desk) Remove(id string) error {
	return d.change(id, func(s *seat) {
		d.expel(s)
		d.gone(id, stampNow())
	})
}

func (d *Desk) expel(s *seat) {
	d.silence(s, ErrRemoved)
	d.deafenAll(s, ErrRemoved)
	d.event(EventRemoved, s.id, s.name)
	d.drop(s.id)
	d.route()
}

// Cue says whom a host listens to besides those on air; none ends it.
func (d *Desk) Cue(host string, seats []string) error {
	return d.change(host, func(*seat) {
		d.cues[host] = seats
		d.route()
	})
}

// Talk lets a host speak to these seats instead of to the audience; none ends it.
func (d *Desk) Talk(host string, seats []string) error {
	return d.change(host, func(*seat) {
		d.talks[host] = seats
		d.route()
	})
}

func (d *Desk) change(id string, do func(*seat)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.seats[id]
	if s == nil {
		return fmt.Errorf("seat %q: %w", id, ErrNoSeat)
	}
	do(s)
	d.news.tell()
	return nil
}

// admit puts l on the mixer.
func (d *Desk) admit(l *Lane, t token.Token, most int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, before, err := d.place(l, t, most)
	if err != nil {
		return err
	}
	if before != nil {
		s.taking(before, time.Now())
		d.handOver(l.seat, before, l)
	}
	d.join(l, s)
	d.log.Info("lane opened", "speaker", s.name, "transport", l.claim.Transport, "remote", l.claim.Remote, "on_air", s.onAir)
	if !s.onAir && t.Role != token.Host {
		d.log.Info("the speaker waits in the green room until a host takes them on air", "speaker", s.name)
	}
	d.event(EventCame, l.seat, s.name)
	d.route()
	return nil
}

// voice says whether the sound is a single voice that the mixer levels: that of a
// microphone in a browser. What encoders and playouts send was mixed by somebody.
func voice(transport string, t token.Token) bool {
	return transport == "whip" && !t.Feed && !t.Music
}

// remove takes a lane that was played off the mixer.
func (d *Desk) remove(l *Lane) {
	d.leave(l)
	s := l.sound.State()
	d.log.Info("lane closed", "speaker", l.claim.Name, "transport", l.claim.Transport,
		"played", pcm.Duration(pcm.Pos(s.Played)), "underruns", s.Underruns, "skipped", pcm.Duration(pcm.Pos(s.Skipped)),
		"lost", s.Packets.Lost, "concealed", pcm.Duration(s.Packets.Concealed))
}

// who returns who a lane of the mixer is: seat and name.
func (d *Desk) who(lane string) (id, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, s := range d.seats {
		if s.lane != nil && d.lane(s) == lane && d.heard(s) {
			return id, s.name
		}
	}
	return "", ""
}
