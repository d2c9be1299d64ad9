package main

import (
	"bytes"
	"html/template"
	"net/http"

	"github.com/go-chi/chi/v5"

	"longwave/origin/web"
	"longwave/packager"
)

// front lists the stations, for who opens the server's own address.
var front = template.Must(template.New("front").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Longwave</title>
<ul>{{range .}}<li><a href="{{.Name}}/">{{.Title}}</a></li>{{end}}</ul>
`))

// aside is for who leaves out the last slash of a station's address: the address of
// the page and what it names are relative to it.
var aside = template.Must(template.New("aside").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={{.Name}}/"><title>{{.Title}}</title>
<p><a href="{{.Name}}/">{{.Title}}</a></p>
`))

// doors mounts what is not a station's own: the list of stations, the address
// without its last slash, and the answer to everything that does not exist, which no
// cache may keep.
func (n *face) doors(r chi.Router) error {
	if err := plainPage(r, "/", front, n.cfg.Stations); err != nil {
		return err
	}
	for _, s := range n.cfg.Stations {
		if err := plainPage(r, "/"+s.Name, aside, s); err != nil {
			return err
		}
	}
	refuse := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", packager.CacheNever)
			w.Header().Set("Access-Control-Allow-Origin", "*")
			http.Error(w, text, status)
		}
	}
	r.NotFound(refuse(http.StatusNotFound, "there is nothing here; the stations are listed at /"))
	r.MethodNotAllowed(refuse(http.StatusMethodNotAllowed, "this address does not take that method"))
	return nil
}

func plainPage(r chi.Router, path string, t *template.Template, data any) error {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return err
	}
	r.Get(path, func(w http.ResponseWriter, _ *http.Request) {
		web.SetHeaders(w.Header())
		w.Header().Set("Content-Type", web.PageType)
		w.Header().Set("Cache-Control", web.CachePage)
		_, _ = w.Write(b.Bytes()) // the visitor may have gone
	})
	return nil
}
