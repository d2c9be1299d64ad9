package studio

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"longwave/ingest/token"
)

// A right says which roles may use a route.
type right uint8

const (
	hosts right = iota
	anybody
)

// admit checks the token that r shows against the station that r names.
func (a *API) admit(w http.ResponseWriter, r *http.Request, who right) (*call, error) {
	now := time.Now()
	name := chi.URLParam(r, "station")
	t, err := a.opt.Tokens.Parse(bearer(r), now)
	if errors.Is(err, token.ErrExpired) && a.here(t) {
		err = nil
	}
	switch {
	case errors.Is(err, token.ErrExpired):
		return nil, problemf(http.StatusForbidden, kindExpired, "This link expired at %s. Ask the host for a new one.", t.Expires.UTC().Format(time.RFC3339))
	case err != nil && r.Header.Get("Authorization") == "":
		return nil, problemf(http.StatusUnauthorized, kindUnauthorized, "A token is needed: send it as \"Authorization: Bearer TOKEN\". Your link carries it after the #.")
	case err != nil:
		return nil, problemf(http.StatusUnauthorized, kindUnauthorized, "This is no token of this server. Copy the whole link that the host sent you.")
	case name != "" && t.Station != name:
		return nil, problemf(http.StatusForbidden, kindForbidden, "Your token is for the station %q, not for %q.", t.Station, name)
	case t.Role != token.Host && t.Role != token.Speaker:
		return nil, problemf(http.StatusForbidden, kindForbidden, "A token of the role %s does not open the studio. Ask the host for a speaker's link.", t.Role)
	}
	s := a.stations[t.Station]
	switch {
	case s == nil:
		return nil, problemf(http.StatusNotFound, kindNotFound, "There is no station %q on this server.", t.Station)
	case s.Show.Revoked(t.ID):
		return nil, problemf(http.StatusForbidden, kindRevoked, "This link was revoked. Ask the host for a new one.")
	case who == hosts && t.Role != token.Host:
		return nil, problemf(http.StatusForbidden, kindForbidden, "Only a host may do this.")
	}
	return &call{api: a, w: w, r: r, station: s, token: t, now: now}, nil
}

// here reports that the holder of t is in the middle of a talk: their token is good until
// they go.
func (a *API) here(t token.Token) bool {
	s := a.stations[t.Station]
	return s != nil && s.Desk.Here(t.ID)
}

// bearer returns the token that r shows (RFC 6750 section 2.1).
func bearer(r *http.Request) string {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(text)
}

// host reports that the call's token is a host's.
func (c *call) host() bool { return c.token.Role == token.Host }

// param returns what the request's address has for a name of the route. Chi matches the
// escaped path where there is one.
func (c *call) param(name string) string {
	text := chi.URLParam(c.r, name)
	if c.r.URL.RawPath == "" {
		return text
	}
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// seat names the seat in the request's address, if somebody has it.
func (c *call) seat() (string, error) {
	id := c.param("seat")
	for _, s := range c.station.Desk.Speakers() {
		if s.Seat == id {
			return id, nil
		}
	}
	return "", noSeat(id)
}

func noSeat(id string) error {
	return problemf(http.StatusNotFound, kindNotFound, "There is no speaker with the seat %q. They may have been removed.", id)
}
