package studio

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"longwave/ingest"
	"longwave/ingest/mix"
	"longwave/ingest/pcm"
	"longwave/ingest/token"
)

// The kinds and grades of alarms. Their texts are part of the API.
const (
	AlarmDeadAir = "dead_air"       // speakers are on air and silent
	AlarmSilent  = "speaker_silent" // somebody is connected and nothing comes
	AlarmStore   = "store"          // what has to last cannot be kept
	AlarmEdge    = "edge"           // listeners are not reached as they should be
	AlarmLate    = "late"           // this machine cannot keep time
	AlarmShared  = "link_shared"    // two connections take a seat from each other
	AlarmFeed    = "feed"           // a feed of a group is lost

	GradeWarn  = "warn"
	GradeAlarm = "alarm"
)

// An Alarm is something that a host should know now.
type Alarm struct {
	Kind  string
	Grade string    // [GradeWarn] or [GradeAlarm]
	Since time.Time // zero: when it was first told
	Seat  string    // empty where it is nobody's
	Text  string    // one sentence
}

type alarmView struct {
	Kind  string `json:"kind"`
	Level string `json:"level"`
	Since stamp  `json:"since"`
	Seat  string `json:"seat"`
	Text  string `json:"text"`
}

const (
	neverHeardAfter = 10 * time.Second // since they came: a wrong microphone
	nothingAfter    = 5 * time.Second  // without a packet, while on air
	storeAfter      = time.Minute      // then it is no hiccup
)

// A silence is what is known of one speaker's sound.
type silence struct {
	since time.Time // of the connection
	heard bool      // anything, since then
	sound time.Time // when packets were last there
}

// watchAlarms works out what the host should know.
func (s *station) watchAlarms(now time.Time, log *slog.Logger) {
	alarms := s.deadAir(nil)
	alarms = s.silentSpeakers(alarms, now)
	alarms = s.sharedLinks(alarms)
	if since := s.Show.Trouble(); !since.IsZero() {
		grade := GradeWarn
		if now.Sub(since) >= storeAfter {
			grade = GradeAlarm
		}
		alarms = append(alarms, Alarm{AlarmStore, grade, since, "", "The state of the show cannot be kept. The show goes on; a restart would forget the latest changes."})
	}
	if s.Alarms != nil {
		alarms = append(alarms, s.Alarms()...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, a := range alarms {
		if !a.Since.IsZero() {
			continue
		}
		alarms[i].Since = now
		if k := slices.IndexFunc(s.alarms, func(b Alarm) bool { return b.Kind == a.Kind && b.Seat == a.Seat }); k >= 0 {
			alarms[i].Since = s.alarms[k].Since
		}
	}
	if !slices.Equal(alarms, s.alarms) {
		s.logSilences(alarms, log)
		s.alarms = alarms
		s.version++
		s.wakeAll()
	}
}

// logSilences tells the log of speakers of whom nothing is heard, and when that is over;
// all other alarms are told where they come from. The mutex is held.
func (s *station) logSilences(alarms []Alarm, log *slog.Logger) {
	among := func(all []Alarm, a Alarm) bool {
		return slices.ContainsFunc(all, func(b Alarm) bool { return b.Kind == AlarmSilent && b.Seat == a.Seat && b.Grade == a.Grade })
	}
	for _, a := range alarms {
		if a.Kind == AlarmSilent && !among(s.alarms, a) {
			log.Warn("a speaker is not heard", "station", s.Name, "seat", a.Seat, "text", a.Text)
		}
	}
	for _, a := range s.alarms {
		if a.Kind == AlarmSilent && !among(alarms, a) {
			log.Info("a speaker is not heard: that is over", "station", s.Name, "seat", a.Seat, "text", a.Text, "lasted", time.Since(a.Since).Round(time.Second))
		}
	}
}

func (s *station) deadAir(alarms []Alarm) []Alarm {
	a := Alarm{Kind: AlarmDeadAir, Grade: GradeAlarm}
	switch s.Meters().DeadAir {
	case mix.Sounding:
		return alarms
	case mix.Warned:
		a.Grade, a.Text = GradeWarn, "Nothing has been heard for 5 seconds although somebody is on air."
	case mix.Alarmed:
		a.Text = "Nothing has been heard for 15 seconds although somebody is on air. After 30 the hold comes."
	case mix.Replaced:
		a.Text = "Nothing was heard for 30 seconds: the audience hears the hold until somebody speaks."
	}
	return append(alarms, a)
}

// silentSpeakers warns of those from whom nothing ever came, and of those on air from
// whom nothing arrives any more. Whoever only listens is no alarm.
func (s *station) silentSpeakers(alarms []Alarm, now time.Time) []Alarm {
	there := map[string]bool{}
	for _, x := range s.Desk.Speakers() {
		if !x.Connected || standby(&x) {
			continue
		}
		there[x.Seat] = true
		m := s.silences[x.Seat]
		if m == nil || !m.since.Equal(x.Since) {
			m = &silence{since: x.Since, sound: now}
			s.silences[x.Seat] = m
		}
		m.heard = m.heard || !quiet(x.Level)
		if x.Level.Fill != pcm.Silent || x.Muted {
			m.sound = now
		}
		if a, ok := m.alarm(x, now); ok {
			alarms = append(alarms, a)
		}
	}
	for seat := range s.silences {
		if !there[seat] {
			delete(s.silences, seat)
		}
	}
	return alarms
}

// sharedLinks warns of links that two use at once: neither is heard for long.
func (s *station) sharedLinks(alarms []Alarm) []Alarm {
	for _, x := range s.Desk.Speakers() {
		if x.Contested {
			alarms = append(alarms, Alarm{AlarmShared, GradeWarn, time.Time{}, x.Seat, fmt.Sprintf("Two connections use the link of %s and take the seat from each other. Give each a link of its own.", x.Name)})
		}
	}
	return alarms
}

func (m *silence) alarm(x ingest.Speaker, now time.Time) (Alarm, bool) {
	switch {
	case x.Muted:
		return Alarm{}, false
	case x.OnAir && now.Sub(m.sound) >= nothingAfter:
		return Alarm{AlarmSilent, GradeAlarm, m.sound, x.Seat, fmt.Sprintf("Nothing arrives from %s any more.", x.Name)}, true
	case !m.heard && now.Sub(m.since) >= neverHeardAfter:
		return Alarm{AlarmSilent, GradeWarn, m.since, x.Seat, fmt.Sprintf("No sound has come from %s yet: is it the right microphone?", x.Name)}, true
	}
	return Alarm{}, false
}

// alarmsFor returns what the holder of t should know: a speaker only what is about them.
func (s *station) alarmsFor(t token.Token) []alarmView {
	s.mu.Lock()
	defer s.mu.Unlock()
	views := []alarmView{}
	for _, a := range s.alarms {
		if t.Role == token.Host || a.Seat == t.ID || a.Kind == AlarmDeadAir {
			views = append(views, alarmView{a.Kind, a.Grade, stamp(a.Since), a.Seat, a.Text})
		}
	}
	return views
}
