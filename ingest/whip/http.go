package whip

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"longwave/ingest"
	"longwave/ingest/token"
)

const (
	mimeSDP      = "application/sdp"
	mimeFragment = "application/trickle-ice-sdpfrag"
	mostSDP      = 64 << 10 // bytes
	mostFragment = 16 << 10
)

// endpoint handles the URL that clients are given: RFC 9725 section 4.2.
func (s *Server) endpoint(k kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		head(w)
		switch r.Method {
		case http.MethodOptions:
			s.options(w, r, k, "Accept-Post", mimeSDP)
		case http.MethodPost:
			s.post(w, r, k)
		default:
			notAllowed(w, "OPTIONS, POST")
		}
	}
}

// resource handles a session's own URL: RFC 9725 section 4.3.
func (s *Server) resource(k kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		head(w)
		switch r.Method {
		case http.MethodOptions:
			s.options(w, r, k, "Accept-Patch", mimeFragment)
			return
		case http.MethodPatch, http.MethodDelete:
		default:
			notAllowed(w, "DELETE, OPTIONS, PATCH")
			return
		}
		x, ok := s.owned(w, r, k)
		if !ok {
			return
		}
		if r.Method == http.MethodDelete {
			x.end(resultDeleted)
			w.WriteHeader(http.StatusOK) // OBS takes nothing else
			return
		}
		x.servePatch(w, r)
	}
}

// head sets what every answer has: pages of any origin may speak to us, since a token
// and not a cookie says who they are.
func head(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Location, ETag, Link, Retry-After, WWW-Authenticate")
	h.Set("Cache-Control", "no-store")
}

func notAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	http.Error(w, "this address knows "+allow, http.StatusMethodNotAllowed)
}

// options answers a preflight, which shows no token, and a client that asks; a client
// with a token is told the ICE servers, which may have passwords.
func (s *Server) options(w http.ResponseWriter, r *http.Request, k kind, accept, what string) {
	h := w.Header()
	h.Set(accept, what)
	h.Set("Access-Control-Allow-Methods", "DELETE, OPTIONS, PATCH, POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match")
	h.Set("Access-Control-Max-Age", "86400")
	if c := claim(r, k); c.Token != "" {
		if _, err := s.gate.Check(c); err == nil {
			h["Link"] = s.links
		}
	}
	w.WriteHeader(http.StatusOK)
}

func claim(r *http.Request, k kind) ingest.Claim {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	return ingest.Claim{Station: chi.URLParam(r, "station"), Token: strings.TrimSpace(token), Transport: string(k), Remote: r.RemoteAddr}
}

// post makes a session of an offer.
func (s *Server) post(w http.ResponseWriter, r *http.Request, k kind) {
	c := claim(r, k)
	t, ok := s.admit(w, r, c)
	if ok && k == whip { // the seat is taken by the first packet, but a full house is told now
		if err := s.gate.Room(c); err != nil {
			s.refuse(w, r, c, err)
			return
		}
	}
	if !ok {
		return
	}
	body, ok := s.read(w, r, mimeSDP, mostSDP)
	if !ok {
		s.m.ended.WithLabelValues(string(k), resultBadRequest).Inc()
		return
	}
	o, err := parseOffer(body, k)
	if err != nil {
		s.refuse(w, r, c, err)
		return
	}
	x, answer, etag, err := s.open(r, c, t, o)
	if err != nil {
		s.refuse(w, r, c, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", mimeSDP)
	h.Set("Location", r.URL.EscapedPath()+"/"+x.id)
	h.Set("ETag", etag)
	h["Link"] = s.links
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer)
}

// open starts a session that answers o.
func (s *Server) open(r *http.Request, c ingest.Claim, t token.Token, o offer) (x *session, answer, etag string, err error) {
	x, err = s.newSession(kind(c.Transport), c, t.Music)
	if err != nil {
		return nil, "", "", err
	}
	if err := s.enter(x); err != nil {
		_ = x.pc.Close()
		return nil, "", "", err
	}
	go x.run() //nolint:contextcheck // it outlives the request
	answer, etag, err = x.negotiate(r.Context(), o)
	if err != nil {
		_, result := verdict(err)
		x.end(result)
		<-x.closed
		return nil, "", "", err
	}
	return x, answer, etag, nil
}

// servePatch handles PATCH: RFC 9725 section 4.3.1.
func (x *session) servePatch(w http.ResponseWriter, r *http.Request) {
	match := r.Header.Get("If-Match")
	if match == "" {
		http.Error(w, "If-Match is needed: the session's ETag, or * to restart ICE", http.StatusPreconditionRequired)
		return
	}
	body, ok := x.read(w, r, mimeFragment, mostFragment)
	if !ok {
		return
	}
	f, err := parseFragment(string(body))
	var answer, etag string
	if err == nil {
		answer, etag, err = x.patch(r.Context(), match, f)
	}
	switch {
	case errors.Is(err, errFragment):
		http.Error(w, reason(err), http.StatusBadRequest)
	case errors.Is(err, errOutdated):
		http.Error(w, reason(err), http.StatusPreconditionFailed)
	case err != nil:
		x.log().Warn("ICE restart refused", "reason", err)
		http.Error(w, reason(err), http.StatusUnprocessableEntity)
	case etag != "":
		w.Header().Set("Content-Type", mimeFragment)
		w.Header().Set("ETag", etag)
		_, _ = io.WriteString(w, answer)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// owned returns the session that r is about when r shows the token that began it. It
// need not be valid any more: who began a session may end it.
func (s *Server) owned(w http.ResponseWriter, r *http.Request, k kind) (*session, bool) {
	c := claim(r, k)
	x := s.find(k, c.Station, chi.URLParam(r, "session"))
	if x != nil && subtle.ConstantTimeCompare([]byte(c.Token), []byte(x.claim.Token)) == 1 {
		return x, true
	}
	if _, ok := s.admit(w, r, c); !ok {
		return nil, false
	}
	if x != nil {
		http.Error(w, "this session was begun with another token", http.StatusForbidden)
		return nil, false
	}
	http.Error(w, "there is no such session (any more)", http.StatusNotFound)
	return nil, false
}

// admit answers for a request that shows no token that opens the door.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, c ingest.Claim) (token.Token, bool) {
	if c.Token == "" { // how a client asks whether one is needed
		challenge(w, "a token is needed: Authorization: Bearer and the token")
		return token.Token{}, false
	}
	t, err := s.gate.Check(c)
	if errors.Is(err, ingest.ErrUnauthorized) && !s.fails.Wait(r.Context(), c.Remote) {
		s.m.ended.WithLabelValues(c.Transport, resultUnauthorized).Inc() // and nothing is told: there would be no end of it
		http.Error(w, "too many wrong tokens from this address", http.StatusTooManyRequests)
		return t, false
	}
	if err != nil {
		s.refuse(w, r, c, err)
		return token.Token{}, false
	}
	return t, true
}

func challenge(w http.ResponseWriter, text string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="longwave"`)
	http.Error(w, text, http.StatusUnauthorized)
}

// refuse answers, counts and tells that there will be no session.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, c ingest.Claim, err error) {
	status, result := verdict(err)
	if result != resultBadRequest || !errors.Is(err, errNegotiation) { // else its session was counted
		s.m.ended.WithLabelValues(c.Transport, result).Inc()
	}
	s.o.Log.WarnContext(r.Context(), "WebRTC session refused", "kind", c.Transport, "station", c.Station, "remote", c.Remote, "reason", reason(err))
	switch status {
	case http.StatusUnauthorized:
		challenge(w, reason(err))
		return
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	http.Error(w, reason(err), status)
}

// verdict returns the status and the metrics' result for an error.
func verdict(err error) (status int, result string) {
	switch {
	case errors.Is(err, ingest.ErrUnauthorized):
		return http.StatusUnauthorized, resultUnauthorized
	case errors.Is(err, ingest.ErrRefused):
		return http.StatusForbidden, resultForbidden
	case errors.Is(err, ingest.ErrBusy), errors.Is(err, errFull):
		return http.StatusServiceUnavailable, resultBusy
	case errors.Is(err, errSDP):
		return http.StatusBadRequest, resultBadRequest
	case errors.Is(err, errUnacceptable):
		return http.StatusNotAcceptable, resultBadRequest
	case errors.Is(err, errNegotiation):
		return http.StatusBadRequest, resultBadRequest
	case errors.Is(err, errStopped):
		return http.StatusServiceUnavailable, resultShutdown
	case errors.Is(err, ingest.ErrClosed):
		return http.StatusServiceUnavailable, resultClosed
	}
	return http.StatusInternalServerError, resultBroken
}

// read reads a body of a media type, or answers why not.
func (s *Server) read(w http.ResponseWriter, r *http.Request, want string, most int64) ([]byte, bool) {
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != want {
		http.Error(w, "the body must be "+want, http.StatusUnsupportedMediaType)
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		http.Error(w, fmt.Sprintf("the body is longer than %d bytes", most), http.StatusRequestEntityTooLarge)
		return nil, false
	}
	if err != nil {
		http.Error(w, "the body did not come", http.StatusBadRequest)
		return nil, false
	}
	return body, true
}

// reason returns one line for the client.
func reason(err error) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(err.Error())
}

// links returns the Link header fields of ICE servers: RFC 9725 section 4.6.
func links(servers []ICEServer) []string {
	var all []string
	for _, x := range servers {
		l := "<" + x.URL + `>; rel="ice-server"`
		if x.Username != "" {
			l += fmt.Sprintf(`; username=%q; credential=%q; credential-type="password"`, x.Username, x.Credential)
		}
		all = append(all, l)
	}
	return all
}
