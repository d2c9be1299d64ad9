package studio

import (
	_ "embed"
	"net/http"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed openapi.yaml
var openapi []byte

// documentYAML and documentJSON return the API's description (OpenAPI 3.1).
func documentYAML() (string, []byte, error) { return "application/yaml", openapi, nil }

func documentJSON() (string, []byte, error) {
	data, err := converted()
	return "application/json", data, err
}

var converted = sync.OnceValues(func() ([]byte, error) { return yaml.YAMLToJSON(openapi) })

// serveDocument answers with a document that changes with the program alone.
func serveDocument(get func() (string, []byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		contentType, data, err := get()
		if err != nil { // a test reads it
			http.Error(w, "the document cannot be read", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Write(data)
	}
}
