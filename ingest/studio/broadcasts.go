package studio

import (
	"net/http"
	"strings"
	"time"

	"longwave/ingest/broadcast"
)

type stationsView struct {
	Stations []stationView `json:"stations"`
}

func (c *call) getStations() (answer, error) {
	return answer{http.StatusOK, stationsView{[]stationView{{c.station.Name, c.station.Title}}}}, nil
}

func (c *call) getStation() (answer, error) {
	return answer{http.StatusOK, c.api.snapshot(c.station, c.token, c.now)}, nil
}

type broadcastsView struct {
	Broadcasts []*broadcastView `json:"broadcasts"`
}

func (c *call) getBroadcasts() (answer, error) {
	r, _ := c.station.Show.Look()
	v := broadcastsView{[]*broadcastView{}}
	for _, b := range r.Sorted() {
		v.Broadcasts = append(v.Broadcasts, viewBroadcast(r, b, c.now))
	}
	return answer{http.StatusOK, v}, nil
}

func (c *call) getBroadcast() (answer, error) {
	r, _ := c.station.Show.Look()
	return c.broadcast(http.StatusOK, r, c.param("broadcast"))
}

// broadcast answers with a broadcast of r.
func (c *call) broadcast(status int, r broadcast.Record, id string) (answer, error) {
	b, ok := r.Broadcast(id)
	if !ok {
		return answer{}, problemf(http.StatusNotFound, kindNotFound, "There is no broadcast %q.", id)
	}
	return answer{status, viewBroadcast(r, b, c.now)}, nil
}

// defaultDoors is how long before the start the doors open.
const defaultDoors = 30 // minutes

// idOf returns the ID that a new broadcast is to have: what twins are told of one deed has
// one ID.
func idOf(wanted string) (string, error) {
	if wanted == "" {
		return broadcast.NewID(), nil
	}
	if len(wanted) != 10 || strings.Trim(wanted, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return "", invalid("An id is ten of a-z and 0-9.")
	}
	return wanted, nil
}

type broadcastBody struct {
	ID           string   `json:"id"`
	Title        *string  `json:"title"`
	Description  *string  `json:"description"`
	Start        *stamp   `json:"start"`
	DoorsMinutes *float64 `json:"doors_minutes"`
}

// doors returns the duration of the field doors_minutes.
func (b broadcastBody) doors() time.Duration {
	if b.DoorsMinutes == nil {
		return defaultDoors * time.Minute
	}
	return time.Duration(min(max(*b.DoorsMinutes, -1), 1e6) * float64(time.Minute))
}

func (c *call) postBroadcast() (answer, error) {
	var body broadcastBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	if body.Title == nil || body.Start == nil {
		return answer{}, invalid("A broadcast needs a title and a start.")
	}
	id, err := idOf(body.ID)
	if err != nil {
		return answer{}, err
	}
	b := broadcast.Broadcast{ID: id, Title: *body.Title, Start: time.Time(*body.Start), Doors: body.doors()}
	if body.Description != nil {
		b.Description = *body.Description
	}
	r, err := c.do(broadcast.Announce{Broadcast: b}, "broadcast announced", "broadcast", b.ID)
	if err != nil {
		return answer{}, err
	}
	return c.broadcast(http.StatusCreated, r, b.ID)
}

func (c *call) patchBroadcast() (answer, error) {
	var body broadcastBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	if body.ID != "" {
		return answer{}, invalid("The id of a broadcast does not change.")
	}
	change := broadcast.Change{ID: c.param("broadcast"), Title: body.Title, Description: body.Description, Start: (*time.Time)(body.Start)}
	if body.DoorsMinutes != nil {
		doors := body.doors()
		change.Doors = &doors
	}
	r, err := c.do(change, "broadcast changed", "broadcast", change.ID)
	if err != nil {
		return answer{}, err
	}
	return c.broadcast(http.StatusOK, r, change.ID)
}

func (c *call) deleteBroadcast() (answer, error) {
	id := c.param("broadcast")
	_, err := c.do(broadcast.Cancel{ID: id}, "broadcast taken back", "broadcast", id)
	return answer{status: http.StatusNoContent}, err
}

type liveBody struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	Broadcast string `json:"broadcast"`
}

func (c *call) postLive() (answer, error) {
	var body liveBody
	if err := c.maybe(&body); err != nil {
		return answer{}, err
	}
	id, err := idOf(body.ID)
	if err != nil {
		return answer{}, err
	}
	r, err := c.do(broadcast.GoLive{New: id, Title: body.Title, Broadcast: body.Broadcast}, "live")
	if err != nil {
		return answer{}, err
	}
	return c.broadcast(http.StatusOK, r, r.Current)
}

func (c *call) postEnd() (answer, error) {
	if err := c.maybe(&struct{}{}); err != nil {
		return answer{}, err
	}
	was, _ := c.station.Show.Look()
	r, err := c.do(broadcast.End{}, "ended")
	if err != nil {
		return answer{}, err
	}
	return c.broadcast(http.StatusOK, r, was.Current)
}

type holdBody struct {
	On *bool `json:"on"`
}

type holdView struct {
	On bool `json:"on"`
}

func (c *call) putHold() (answer, error) {
	var body holdBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	if body.On == nil {
		return answer{}, invalid("Say {\"on\":true} or {\"on\":false}.")
	}
	_, err := c.do(broadcast.SetHold{On: *body.On}, "hold", "on", *body.On)
	return answer{http.StatusOK, holdView{*body.On}}, err
}

// do does a deed and tells the log whose it was.
func (c *call) do(d broadcast.Deed, what string, attrs ...any) (broadcast.Record, error) {
	r, err := c.station.Show.Do(c.r.Context(), d)
	if err == nil {
		c.log(what, attrs...)
	}
	return r, err
}

// log tells what was done by whom.
func (c *call) log(what string, attrs ...any) {
	attrs = append([]any{"deed", what, "station", c.station.Name, "by", c.token.Name, "token_id", c.token.ID}, attrs...)
	c.api.opt.Log.InfoContext(c.r.Context(), "studio", attrs...)
}
