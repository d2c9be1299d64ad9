package studio

import (
	"encoding/json"
	"net/http"

	"longwave/ingest"
	"longwave/ingest/broadcast"
)

// mostRecord is how large a twin's record may be, in bytes.
const mostRecord = 1 << 20

// A record is all that hosts made of a station, for a twin that missed some of it.
type record struct {
	Show   broadcast.Record `json:"show"`
	Places []place          `json:"places"`
}

type place struct {
	ingest.Place
	Here bool `json:"here"` // who has it is connected
}

func (c *call) record() record {
	show, _ := c.station.Show.Look()
	show.Places = nil // they are told as they are now
	v := record{Show: show, Places: []place{}}
	here := map[string]bool{}
	for _, s := range c.station.Desk.Speakers() {
		here[s.Seat] = s.Connected
	}
	for _, p := range c.station.Desk.Places() {
		v.Places = append(v.Places, place{p, here[p.Seat]})
	}
	return v
}

func (c *call) getRecord() (answer, error) {
	return answer{http.StatusOK, c.record()}, nil
}

// putRecord takes in what a twin's record knows, and answers with what both know then.
// Unlike other bodies it may have fields that are not known here: twins are upgraded one
// after the other.
func (c *call) putRecord() (answer, error) {
	var body record
	if err := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, mostRecord)).Decode(&body); err != nil {
		return answer{}, bodyProblem(err)
	}
	body.Show.Places = nil
	was, _ := c.station.Show.Look()
	now := was
	if body.Show.Sum() != was.Sum() || body.Show.Phase != was.Phase {
		var err error
		if now, err = c.do(broadcast.Join{Record: body.Show}, "record of a twin taken in"); err != nil {
			return answer{}, err
		}
	}
	for _, l := range now.Links {
		if now.Revoked(l.ID) && !was.Revoked(l.ID) {
			_ = c.station.Desk.Remove(l.ID) // nobody has to be there
		}
	}
	var all, here []ingest.Place
	for _, p := range body.Places {
		all = append(all, p.Place)
		if p.Here || p.Gone {
			here = append(here, p.Place)
		}
	}
	c.station.Desk.Join(all)
	c.station.Desk.Restore(here) // a place for those who are expected here too
	c.station.Show.Keep(c.r.Context())
	c.station.changed()
	return answer{http.StatusOK, c.record()}, nil
}
