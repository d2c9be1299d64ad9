package studio

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"longwave/ingest/broadcast"
	"longwave/ingest/token"
)

const (
	defaultHours = 24
	mostHours    = 366 * 24
)

type linksView struct {
	Links []linkView `json:"links"`
}

func (c *call) getLinks() (answer, error) {
	r, _ := c.station.Show.Look()
	v := linksView{[]linkView{}}
	for _, l := range r.Links {
		if l.Expires.IsZero() || c.now.Before(l.Expires) {
			v.Links = append(v.Links, viewLink(l))
		}
	}
	return answer{http.StatusOK, v}, nil
}

type linkBody struct {
	Role     string   `json:"role"`
	Name     string   `json:"name"`
	Hours    *float64 `json:"hours"`
	Music    bool     `json:"music"`
	Feed     bool     `json:"feed"`
	Group    string   `json:"group"`
	Priority int      `json:"priority"`
}

// token returns the token that b asks for.
func (b linkBody) token(station string, now time.Time) (token.Token, error) {
	t := token.Token{Station: station, Role: token.Speaker, Name: strings.TrimSpace(b.Name), Music: b.Music, Feed: b.Feed, Group: b.Group, Priority: b.Priority}
	switch b.Role {
	case "", token.Speaker.String():
	case token.Host.String():
		t.Role = token.Host
	default:
		return t, invalid("The role %q is not known: use speaker or host.", b.Role)
	}
	if t.Name == "" {
		return t, invalid("A link needs a name: whose it is.")
	}
	hours := float64(defaultHours)
	if b.Hours != nil {
		hours = *b.Hours
	}
	if !(hours > 0 && hours <= mostHours) {
		return t, invalid("A link is valid for more than 0 and up to %d hours.", mostHours)
	}
	t.Expires = now.Add(time.Duration(hours * float64(time.Hour))).Truncate(time.Second)
	if !t.Expires.After(now) {
		t.Expires = t.Expires.Add(time.Second)
	}
	return t, nil
}

func (c *call) postLink() (answer, error) {
	var body linkBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	t, err := body.token(c.station.Name, c.now)
	if err != nil {
		return answer{}, err
	}
	text, err := c.api.opt.Tokens.Sign(t)
	if err != nil {
		return answer{}, invalid("%s", sentence(strings.TrimPrefix(err.Error(), "sign token: ")))
	}
	if t, err = c.api.opt.Tokens.Parse(text, c.now); err != nil {
		return answer{}, err
	}
	l := broadcast.Link{ID: t.ID, Role: t.Role, Name: t.Name, Music: t.Music, Feed: t.Feed, Group: t.Group, Priority: t.Priority, Expires: t.Expires, Created: c.now}
	if _, err := c.do(broadcast.Issue{Link: l}, "link made", "link", l.ID, "name", l.Name, "role", l.Role.String()); err != nil {
		return answer{}, err
	}
	v := viewLink(l)
	v.Token, v.URL = text, c.api.studioURL(c.station)+"#"+text
	if c.station.Push != nil {
		v.Push = c.station.Push(text)
	}
	return answer{http.StatusCreated, v}, nil
}

// deleteLink revokes a link of the list, or the token of somebody at the desk who came by
// one that was made elsewhere, and ends whoever uses it.
func (c *call) deleteLink() (answer, error) {
	id := c.param("link")
	if id == c.token.ID {
		return answer{}, problemf(http.StatusConflict, kindConflict, "This is the link that you are using yourself. Another host can revoke it.")
	}
	revoke := broadcast.Revoke{ID: id}
	for _, s := range c.station.Desk.Speakers() {
		if b, err := hex.DecodeString(id); s.Seat == id && err == nil && len(b) == 4 {
			revoke.Foreign = &broadcast.Link{Role: s.Role, Name: s.Name, Music: s.Music, Feed: s.Feed}
		}
	}
	r, err := c.station.Show.Do(c.r.Context(), revoke)
	if err != nil {
		return answer{}, err
	}
	name := ""
	if i := slices.IndexFunc(r.Links, func(l broadcast.Link) bool { return l.ID == id }); i >= 0 {
		name = r.Links[i].Name
	}
	c.log("link revoked", "link", id, "name", name)
	_ = c.station.Desk.Remove(id) // nobody has to be there
	return answer{status: http.StatusNoContent}, nil
}
