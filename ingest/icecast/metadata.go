package icecast

import (
	"net/http"
	"strings"

	"longwave/ingest"
	"longwave/ingest/titles"
)

// metadata handles a title update: mode=updinfo, mount=/ice/{station}, and song,
// or artist and title, in charset.
func (s *Server) metadata(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	station, ok := strings.CutPrefix(q.Get("mount"), "/ice/")
	c := ingest.Claim{Station: station, Token: credentials(r), Transport: "icecast", Remote: r.RemoteAddr}
	if !s.admit(w, r, c) {
		return
	}
	if !ok || q.Get("mode") != "updinfo" {
		http.Error(w, "mode=updinfo and mount=/ice/{station} are needed", http.StatusBadRequest)
		return
	}
	charset := q.Get("charset")
	title := text(q.Get("song"), charset)
	if title == "" {
		artist, name := text(q.Get("artist"), charset), text(q.Get("title"), charset)
		title = artist + " - " + name
	}
	if !s.entitle(seat{c.Station, c.Token}, joined(title)) {
		http.Error(w, "no source of this token is on air", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	_, _ = w.Write([]byte("<?xml version=\"1.0\"?>\n<iceresponse><message>Metadata update successful</message><return>1</return></iceresponse>\n"))
}

// joined returns "artist - title" without a dash where one of them is missing, as
// Mixxx sends it too.
func joined(title string) string {
	title = strings.TrimPrefix(strings.TrimSpace(title)+" ", "- ")
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(title), " -"))
}

// text returns s, which is in charset, as clean UTF-8. Where charset is not said
// it is UTF-8 when it can be, else Latin-1, as Icecast has it.
func text(s, charset string) string {
	switch strings.ReplaceAll(strings.ToLower(charset), "-", "") {
	case "iso88591", "latin1", "windows1252":
		s = titles.Latin1(s)
	}
	return titles.Clean(s)
}
