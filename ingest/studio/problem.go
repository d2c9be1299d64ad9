package studio

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"longwave/ingest"
	"longwave/ingest/broadcast"
)

// A kind is a problem's type: a stable URN.
type kind string

const (
	kindUnauthorized kind = "urn:longwave:unauthorized"
	kindExpired      kind = "urn:longwave:expired"
	kindRevoked      kind = "urn:longwave:revoked"
	kindForbidden    kind = "urn:longwave:forbidden"
	kindNotFound     kind = "urn:longwave:not-found"
	kindMethod       kind = "urn:longwave:method"
	kindConflict     kind = "urn:longwave:conflict"
	kindTooLarge     kind = "urn:longwave:too-large"
	kindMediaType    kind = "urn:longwave:media-type"
	kindMalformed    kind = "urn:longwave:malformed"
	kindInvalid      kind = "urn:longwave:invalid"
	kindBusy         kind = "urn:longwave:busy"
	kindInternal     kind = "urn:longwave:internal"
)

// A problem is an error as the client gets it (RFC 9457 section 3).
type problem struct {
	Type   kind   `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"` // a sentence that says what to do
}

func (p *problem) Error() string { return p.Detail }

func problemf(status int, k kind, format string, args ...any) *problem {
	return &problem{Type: k, Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// problemOf returns what err is to a client.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	for _, x := range []struct {
		is     error
		status int
		kind   kind
	}{
		{broadcast.ErrNotFound, http.StatusNotFound, kindNotFound},
		{broadcast.ErrConflict, http.StatusConflict, kindConflict},
		{broadcast.ErrInvalid, http.StatusUnprocessableEntity, kindInvalid},
		{ingest.ErrNoSeat, http.StatusNotFound, kindNotFound},
	} {
		if errors.Is(err, x.is) {
			return problemf(x.status, x.kind, "%s", sentence(strings.TrimPrefix(err.Error(), x.is.Error()+": ")))
		}
	}
	return problemf(http.StatusInternalServerError, kindInternal, "Something went wrong here. Try again; the log says what it was.")
}

// sentence makes a sentence of an error's text.
func sentence(s string) string {
	first, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[n:] + "."
}

// refuse answers with what err is to a client.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	switch p.Status {
	case http.StatusInternalServerError:
		a.opt.Log.ErrorContext(r.Context(), "studio request failed", "method", r.Method, "route", route(r), "error", err)
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="longwave"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	a.metrics.answered(r, p.Status)
	writeJSON(w, p.Status, "application/problem+json", p)
}

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	a.refuse(w, r, problemf(http.StatusNotFound, kindNotFound, "There is nothing at this address. /api/v1/openapi.json says what there is."))
}

// methods are those that a route may have.
var methods = []string{http.MethodDelete, http.MethodGet, http.MethodPatch, http.MethodPost, http.MethodPut}

func (a *API) notAllowed(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	c := chi.RouteContext(r.Context())
	for _, m := range methods {
		if c.Routes.Match(chi.NewRouteContext(), m, r.URL.Path) {
			allowed = append(allowed, m)
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	a.refuse(w, r, problemf(http.StatusMethodNotAllowed, kindMethod, "%s is not possible here. Use %s.", r.Method, strings.Join(allowed, " or ")))
}

// writeJSON answers with body, or with none when it is nil.
func writeJSON(w http.ResponseWriter, status int, contentType string, body any) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if body == nil {
		w.WriteHeader(status)
		return
	}
	data, err := json.Marshal(body)
	if err != nil { // numbers that are none are null before they come here
		status, data = http.StatusInternalServerError, []byte(`{}`)
	}
	h.Set("Content-Type", contentType)
	w.WriteHeader(status)
	w.Write(append(data, '\n'))
}
