package studio

import (
	"errors"
	"net/http"
	"slices"

	"longwave/ingest"
)

type speakersView struct {
	Speakers []speakerView `json:"speakers"`
}

func (c *call) getSpeakers() (answer, error) {
	return answer{http.StatusOK, speakersView{viewSpeakers(c.station.Desk.Speakers())}}, nil
}

type speakerBody struct {
	OnAir  *bool    `json:"on_air"`
	Muted  *bool    `json:"muted"`
	GainDB *float64 `json:"gain_db"`
}

func (c *call) patchSpeaker() (answer, error) {
	var body speakerBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	id, err := c.seat()
	switch {
	case err != nil:
		return answer{}, err
	case body.OnAir == nil && body.Muted == nil && body.GainDB == nil:
		return answer{}, invalid("Say what to change: on_air, muted or gain_db.")
	case !c.host() && (id != c.token.ID || body.OnAir != nil || body.GainDB != nil):
		return answer{}, problemf(http.StatusForbidden, kindForbidden, "A speaker may only mute and unmute themselves. The host does the rest.")
	case body.GainDB != nil && !(*body.GainDB >= ingest.LeastGain && *body.GainDB <= ingest.MostGain):
		return answer{}, invalid("The gain is %d to %d dB.", ingest.LeastGain, ingest.MostGain)
	}
	if err := c.setSpeaker(id, body); err != nil {
		return answer{}, err
	}
	c.station.Show.Keep(c.r.Context())
	for _, s := range c.station.Desk.Speakers() {
		if s.Seat == id {
			return answer{http.StatusOK, viewSpeaker(s)}, nil
		}
	}
	return answer{}, noSeat(id)
}

// setSpeaker does what body says. Mute and gain go before on air, so that nobody comes on
// air louder than was asked for.
func (c *call) setSpeaker(id string, body speakerBody) error {
	desk := c.station.Desk
	var attrs []any
	var errs []error
	if body.Muted != nil {
		errs, attrs = append(errs, desk.SetMute(id, *body.Muted)), append(attrs, "muted", *body.Muted)
	}
	if body.GainDB != nil {
		errs, attrs = append(errs, desk.SetGain(id, *body.GainDB)), append(attrs, "gain_db", *body.GainDB)
	}
	if body.OnAir != nil {
		errs, attrs = append(errs, desk.SetOnAir(id, *body.OnAir)), append(attrs, "on_air", *body.OnAir)
	}
	if err := errors.Join(errs...); err != nil {
		if errors.Is(err, ingest.ErrNoSeat) {
			return noSeat(id)
		}
		return err
	}
	attrs = append(attrs, "speaker", c.speaker(id), "seat", id)
	if body.Muted == nil && body.OnAir == nil {
		c.station.faders.move(id, c.now, func() { c.log("speaker changed", attrs...) })
		return nil
	}
	c.log("speaker changed", attrs...)
	return nil
}

// speaker returns the name of whoever has a seat.
func (c *call) speaker(id string) string {
	for _, s := range c.station.Desk.Speakers() {
		if s.Seat == id {
			return s.Name
		}
	}
	return ""
}

func (c *call) deleteSpeaker() (answer, error) {
	id, err := c.seat()
	if err != nil {
		return answer{}, err
	}
	name := c.speaker(id)
	if err := c.station.Desk.Remove(id); err != nil {
		return answer{}, noSeat(id)
	}
	c.station.Show.Keep(c.r.Context())
	c.log("speaker removed", "speaker", name, "seat", id)
	return answer{status: http.StatusNoContent}, nil
}

type seatsBody struct {
	Seats []string `json:"seats"`
	All   bool     `json:"all"`
}

type seatsView struct {
	Seats []string `json:"seats"`
}

func (c *call) putCue() (answer, error) {
	var body struct {
		Seats []string `json:"seats"`
	}
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	if err := c.check(body.Seats); err != nil {
		return answer{}, err
	}
	if err := c.station.cue(c.token.ID, body.Seats); err != nil {
		return answer{}, notJoined(err)
	}
	return answer{http.StatusOK, seatsView{none(body.Seats)}}, nil
}

func (c *call) putTalkback() (answer, error) {
	var body seatsBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	if body.All && len(body.Seats) > 0 {
		return answer{}, invalid("Say either {\"all\":true} or the seats.")
	}
	if err := c.check(body.Seats); err != nil {
		return answer{}, err
	}
	if (body.All || len(body.Seats) > 0) && c.api.streams.of(c.token.ID) == 0 {
		return answer{}, problemf(http.StatusConflict, kindConflict, "Open the event stream first: talkback ends with it, so that it cannot be forgotten.")
	}
	if err := c.station.talk(c.token.ID, talk{body.Seats, body.All}); err != nil {
		return answer{}, notJoined(err)
	}
	if c.api.streams.of(c.token.ID) == 0 { // the last one has gone meanwhile
		_ = c.station.talk(c.token.ID, talk{})
	}
	_, to := c.station.ears(c.token.ID)
	names := make([]string, len(to))
	for i, id := range to {
		names[i] = c.speaker(id)
	}
	c.log("talkback", "all", body.All, "to", names)
	return answer{http.StatusOK, seatsView{to}}, nil
}

// check refuses seats that nobody has, and the host's own.
func (c *call) check(seats []string) error {
	speakers := c.station.Desk.Speakers()
	for _, id := range seats {
		if id == c.token.ID {
			return invalid("The seat %q is your own.", id)
		}
		if !slices.ContainsFunc(speakers, func(s ingest.Speaker) bool { return s.Seat == id }) {
			return invalid("There is no speaker with the seat %q.", id)
		}
	}
	return nil
}

func notJoined(err error) error {
	if errors.Is(err, ingest.ErrNoSeat) {
		return problemf(http.StatusConflict, kindConflict, "Join the studio first: whoever is not there hears nobody.")
	}
	return err
}
