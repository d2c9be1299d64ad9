package receive

import (
	"encoding/json"
	"errors"
	"net/http"
)

// A refusal is an error that is told to the sender.
type refusal struct {
	Status  int      `json:"status"`
	Title   string   `json:"title"`
	Reason  string   `json:"reason"`
	Missing []string `json:"missing,omitempty"` // keys that a playlist names and that are not here
	First   int64    `json:"first,omitempty"`   // the MSN that the playlist here begins with
}

func (r *refusal) Error() string { return r.Title }

func refuse(status int, reason, title string) *refusal {
	return &refusal{Status: status, Reason: reason, Title: title}
}

// refuse answers with err, which changed nothing.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var why *refusal
	if !errors.As(err, &why) {
		why = refuse(http.StatusInternalServerError, reasonInternal, "this is a defect here")
		s.opt.Log.ErrorContext(r.Context(), "cannot take a push", "err", err)
	}
	s.metrics.requests.WithLabelValues(why.Reason).Inc()
	s.opt.Log.DebugContext(r.Context(), "push refused", "path", r.URL.Path, "status", why.Status, "reason", why.Reason, "why", why.Title)
	h := w.Header()
	h["Cache-Control"] = noStore
	h.Set("Content-Type", "application/problem+json")
	if why.Status == http.StatusUnauthorized {
		h.Add("WWW-Authenticate", `Basic realm="longwave"`) // first: ffmpeg reads no further
		h.Add("WWW-Authenticate", `Bearer realm="longwave"`)
	}
	w.WriteHeader(why.Status)
	_ = json.NewEncoder(w).Encode(why) // the sender may have gone
}
