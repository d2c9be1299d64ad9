package web

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
)

// A Station is what the page says about a station.
type Station struct {
	// Name is what the station is called. Required.
	Name string
	// Address is its name in addresses, and on its media: bytes of another station are
	// not played. Empty: they are not told apart.
	Address string
	// Hosts are other addresses of the station, each with a slash at its end, the best
	// first: where to go when the page's own host does not answer.
	Hosts []string
	// Title is the broadcast's. Empty: Name.
	Title string
	// Description is one line below the title. Empty: none.
	Description string
	// Language is that of Name, Title and Description, as a BCP 47 tag; the words
	// of the page are first in it too, where there are such. Empty: "en".
	Language string
}

// The multivariant playlists that the page plays, relative to it.
const (
	indexPlaylist = "index.m3u8"
	opusPlaylist  = "opus.m3u8"
)

// Policy is the Content-Security-Policy of the page: own scripts and styles,
// nothing inline; playlists and media from the hosts that the playlists name.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src *; media-src * blob:; base-uri 'none'; form-action 'none'"

//go:embed page.html.tmpl
var pageText string

var pageTemplate = template.Must(template.New("page.html.tmpl").Parse(pageText))

// pageData is what the template reads.
type pageData struct {
	Station
	Policy, OtherHosts                  string
	Words                               map[string]string
	Index, Opus                         string
	Script, Style, Shared, Engine, Icon string
}

// Page returns the player's page of a station: UTF-8 HTML that names playlists
// and assets relative to /{station}/.
func Page(s Station) ([]byte, error) {
	if s.Name == "" {
		return nil, fmt.Errorf("page: a station needs a name")
	}
	if s.Title == "" {
		s.Title = s.Name
	}
	if s.Language == "" {
		s.Language = fallbackLanguage
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, pageData{
		Station: s,
		Policy:  Policy, OtherHosts: strings.Join(s.Hosts, " "),
		Words:  wordsFor(s.Language),
		Index:  indexPlaylist,
		Opus:   opusPlaylist,
		Script: assetPath("page.js"),
		Style:  assetPath("style.css"),
		Shared: assetPath("chunk.js"),
		Engine: assetPath("engine.js"),
		Icon:   assetPath("icon.svg"),
	})
	if err != nil {
		return nil, fmt.Errorf("page of %s: %w", s.Name, err)
	}
	return b.Bytes(), nil
}

const fallbackLanguage = "en"

// wordsFor returns the page's words in the language of a BCP 47 tag, in English
// where there are none in it.
func wordsFor(tag string) map[string]string {
	language, _, _ := strings.Cut(strings.ToLower(tag), "-")
	if w, ok := words[language]; ok {
		return w
	}
	return words[fallbackLanguage]
}
