package studio

import (
	"net/http"
	"slices"
	"time"
)

// Pathways are the ways on which listeners are reached, as their watcher tells of them.
type Pathways interface {
	// Look returns how things stand, in the order of the configuration, and what changed,
	// oldest first.
	Look() ([]Pathway, []PathwayChange)
	// SetHand lays the host's hand on the pathway with that id: auto, prefer or avoid.
	SetHand(id, hand string) error
}

// A Pathway is one way to listeners: a CDN, an origin, a bucket.
type Pathway struct {
	ID, URL   string
	Plain     bool   // it reads the store: no parts
	Good      bool   // by the probes
	Listed    bool   // players may take it
	Hand      string // auto, prefer or avoid
	Since     time.Time
	Fault     string // why it is not good: refused, silent, status, wrong or stale
	Text      string
	Looked    time.Time // last
	FirstByte time.Duration
	Behind    time.Duration // how far its playlist is behind ours
}

// A PathwayChange is a line of their history.
type PathwayChange struct {
	At      time.Time
	Pathway string
	What    string // bad, good, auto, prefer or avoid
	Fault   string
	Text    string
}

// hands are what a host may want of a pathway.
var hands = []string{"auto", "prefer", "avoid"}

type pathwaysView struct {
	Pathways []pathwayView       `json:"pathways"`
	History  []pathwayChangeView `json:"history"`
}

type pathwayView struct {
	ID        string  `json:"id"`
	URL       string  `json:"url"`
	Plain     bool    `json:"plain"`
	Good      bool    `json:"good"`
	Listed    bool    `json:"listed"`
	Hand      string  `json:"hand"`
	Since     stamp   `json:"since"`
	Fault     string  `json:"fault"`
	Text      string  `json:"text"`
	Looked    stamp   `json:"looked"`
	FirstByte float64 `json:"first_byte_ms"`
	Behind    float64 `json:"behind_ms"`
}

type pathwayChangeView struct {
	At      stamp  `json:"at"`
	Pathway string `json:"pathway"`
	What    string `json:"what"`
	Fault   string `json:"fault"`
	Text    string `json:"text"`
}

func viewPathway(p Pathway) pathwayView {
	milliseconds := func(d time.Duration) float64 { return float64(d.Round(time.Millisecond).Milliseconds()) }
	return pathwayView{
		ID: p.ID, URL: p.URL, Plain: p.Plain, Good: p.Good, Listed: p.Listed, Hand: p.Hand, Since: stamp(p.Since),
		Fault: p.Fault, Text: p.Text, Looked: stamp(p.Looked), FirstByte: milliseconds(p.FirstByte), Behind: milliseconds(p.Behind),
	}
}

func (c *call) getPathways() (answer, error) {
	v := pathwaysView{[]pathwayView{}, []pathwayChangeView{}}
	if c.station.Pathways == nil {
		return answer{http.StatusOK, v}, nil
	}
	list, history := c.station.Pathways.Look()
	for _, p := range list {
		v.Pathways = append(v.Pathways, viewPathway(p))
	}
	for _, h := range history {
		v.History = append(v.History, pathwayChangeView{stamp(h.At), h.Pathway, h.What, h.Fault, h.Text})
	}
	return answer{http.StatusOK, v}, nil
}

type handBody struct {
	Hand *string `json:"hand"`
}

func (c *call) patchPathway() (answer, error) {
	var body handBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	if body.Hand == nil || !slices.Contains(hands, *body.Hand) {
		return answer{}, invalid("Say what to do with it: the hand is auto, prefer or avoid.")
	}
	id := c.param("pathway")
	if c.station.Pathways == nil || c.station.Pathways.SetHand(id, *body.Hand) != nil {
		return answer{}, problemf(http.StatusNotFound, kindNotFound, "There is no pathway %q. Those that are configured are in the list.", id)
	}
	c.api.opt.Log.Info("pathway set", "station", c.station.Name, "pathway", id, "hand", *body.Hand, "by", c.token.Name)
	list, _ := c.station.Pathways.Look()
	for _, p := range list {
		if p.ID == id {
			return answer{http.StatusOK, viewPathway(p)}, nil
		}
	}
	return answer{status: http.StatusNoContent}, nil
}
