package studio

import (
	"encoding/json"
	"math"
	"slices"
	"time"

	"longwave/ingest"
	"longwave/ingest/broadcast"
	"longwave/ingest/token"
)

// A stamp is a time as the API writes it: RFC 3339, UTC, with milliseconds; null when
// there is none. It reads any RFC 3339 time.
type stamp time.Time

const stampFormat = "2006-01-02T15:04:05.000Z"

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) {
	t := time.Time(s)
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().AppendFormat(nil, `"`+stampFormat+`"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *stamp) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return invalid("A time is a text such as \"2026-03-01T20:00:00Z\".")
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return invalid("%q is not a time: write it as 2026-03-01T20:00:00Z.", text)
	}
	*s = stamp(t)
	return nil
}

// A level is a number of dB, LUFS or the like to a tenth; null when there is none.
type level float64

// MarshalJSON implements json.Marshaler.
func (l level) MarshalJSON() ([]byte, error) { return appendLevel(nil, float64(l)), nil }

type snapshot struct {
	Station       stationView    `json:"station"`
	Now           stamp          `json:"now"`
	Me            meView         `json:"me"`
	Phase         string         `json:"phase"`
	Broadcast     *broadcastView `json:"broadcast"`
	Next          *broadcastView `json:"next"`
	AudienceHears string         `json:"audience_hears"`
	Hold          bool           `json:"hold"`
	Record        string         `json:"record,omitempty"`
	Speakers      []speakerView  `json:"speakers"`
	Cue           []string       `json:"cue"`
	Talkback      []string       `json:"talkback"`
	Alarms        []alarmView    `json:"alarms"`
	Links         addresses      `json:"links"`
	ICEServers    []ICEServer    `json:"ice_servers"`
}

type stationView struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

type meView struct {
	Seat  string `json:"seat"`
	Name  string `json:"name"`
	Role  string `json:"role"`
	Music bool   `json:"music"`
}

type addresses struct {
	Audience string `json:"audience"`
	Studio   string `json:"studio"`
}

type broadcastView struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	State       string `json:"state"`
	Start       stamp  `json:"start"`
	DoorsAt     stamp  `json:"doors_at"`
	LiveAt      stamp  `json:"live_at"`
	EndedAt     stamp  `json:"ended_at"`
	LateSeconds int64  `json:"late_seconds"`
}

func viewBroadcast(r broadcast.Record, b broadcast.Broadcast, now time.Time) *broadcastView {
	if b.ID == "" {
		return nil
	}
	return &broadcastView{
		ID: b.ID, Title: b.Title, Description: b.Description, State: string(r.State(b)),
		Start: stamp(b.Start), DoorsAt: stamp(b.DoorsAt()), LiveAt: stamp(b.LiveAt), EndedAt: stamp(b.EndedAt),
		LateSeconds: int64(b.Late(now) / time.Second),
	}
}

type speakerView struct {
	Seat      string `json:"seat"`
	Name      string `json:"name"`
	Role      string `json:"role"`
	Transport string `json:"transport"`
	Connected bool   `json:"connected"`
	Since     stamp  `json:"since"`
	OnAir     bool   `json:"on_air"`
	Muted     bool   `json:"muted"`
	GainDB    level  `json:"gain_db"`
	Feed      bool   `json:"feed"`
	Music     bool   `json:"music"`
	Speaking  bool   `json:"speaking"`
	Group     string `json:"group"`
	Priority  int    `json:"priority"`
	Standby   bool   `json:"standby"`
}

// roleInput is the role of the operator's own inputs, which have no token.
const roleInput = "input"

func viewSpeaker(s ingest.Speaker) speakerView {
	role := s.Role.String()
	if role == "" {
		role = roleInput
	}
	return speakerView{
		Seat: s.Seat, Name: s.Name, Role: role, Transport: s.Transport, Connected: s.Connected,
		Since: stamp(s.Since), OnAir: s.OnAir, Muted: s.Muted, GainDB: level(s.GainDB), Feed: s.Feed,
		Music: s.Music, Speaking: s.Level.Speaking, Group: s.Group, Priority: s.Priority, Standby: standby(&s),
	}
}

func viewSpeakers(all []ingest.Speaker) []speakerView {
	views := make([]speakerView, 0, len(all))
	for _, s := range all {
		views = append(views, viewSpeaker(s))
	}
	return views
}

type linkView struct {
	ID       string            `json:"id"`
	Role     string            `json:"role"`
	Name     string            `json:"name"`
	Created  stamp             `json:"created"`
	Expires  stamp             `json:"expires"`
	Revoked  bool              `json:"revoked"`
	Music    bool              `json:"music"`
	Feed     bool              `json:"feed"`
	Group    string            `json:"group"`
	Priority int               `json:"priority"`
	URL      string            `json:"url,omitempty"`
	Token    string            `json:"token,omitempty"`
	Push     map[string]string `json:"push,omitempty"`
}

func viewLink(l broadcast.Link) linkView {
	return linkView{
		ID: l.ID, Role: l.Role.String(), Name: l.Name, Created: stamp(l.Created), Expires: stamp(l.Expires),
		Revoked: !l.Revoked.IsZero(), Music: l.Music, Feed: l.Feed, Group: l.Group, Priority: l.Priority,
	}
}

// snapshot returns what a token's holder sees of the station.
func (a *API) snapshot(s *station, t token.Token, now time.Time) snapshot {
	r, _ := s.Show.Look()
	current, next := r.Shown()
	cue, talkback := s.ears(t.ID)
	sum := ""
	if t.Role == token.Host {
		sum = r.Sum()
	}
	return snapshot{
		Station: stationView{s.Name, s.Title}, Now: stamp(now),
		Me:    meView{t.ID, t.Name, t.Role.String(), t.Music},
		Phase: string(r.Phase), Broadcast: viewBroadcast(r, current, now), Next: viewBroadcast(r, next, now),
		AudienceHears: s.Meters().OnAir, Hold: r.Hold, Record: sum,
		Speakers: viewSpeakers(s.Desk.Speakers()), Cue: cue, Talkback: talkback,
		Alarms:     s.alarmsFor(t),
		Links:      addresses{a.opt.Public + "/" + s.Name + "/", a.studioURL(s)},
		ICEServers: append([]ICEServer{}, a.opt.ICEServers...),
	}
}

func (a *API) studioURL(s *station) string { return a.opt.Public + "/studio/" + s.Name }

// none is never null in JSON.
func none(ids []string) []string {
	if ids == nil {
		return []string{}
	}
	return slices.Clone(ids)
}

// finite reports that x is a number that JSON has.
func finite(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }
