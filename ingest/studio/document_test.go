package studio_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"longwave/ingest/studio"
)

// A document is the API's own description, as a client gets it.
type document struct {
	schemas *jsonschema.Compiler
	root    map[string]any
}

const documentURL = "https://radio.example/api/v1/openapi.json"

// readDocument reads the served document.
func readDocument(t *testing.T, h http.Handler) *document {
	t.Helper()
	w := get(t, h, "/api/v1/openapi.json")
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(w))
	if err != nil {
		t.Fatal(err)
	}
	d := &document{schemas: jsonschema.NewCompiler(), root: doc.(map[string]any)}
	d.schemas.DefaultDraft(jsonschema.Draft2020) // as OpenAPI 3.1 has it
	d.schemas.AssertFormat()
	if err := d.schemas.AddResource(documentURL, doc); err != nil {
		t.Fatal(err)
	}
	return d
}

// fits checks JSON against a schema of the document.
func (d *document) fits(t *testing.T, schema string, data []byte) {
	t.Helper()
	if err := d.check(schema, data); err != nil {
		t.Errorf("%s does not fit %s: %v", data, schema, err)
	}
}

func (d *document) check(schema string, data []byte) error {
	s, err := d.schemas.Compile(documentURL + "#" + schema)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// component is the place of a schema.
func component(name string) string { return "/components/schemas/" + name }

// operation returns what the document says of a method at a path as a request has it.
func (d *document) operation(method, path string) (pointer string, op map[string]any, ok bool) {
	path = strings.TrimPrefix(path, "/api/v1")
	for pattern, item := range d.root["paths"].(map[string]any) {
		if !matches(pattern, path) {
			continue
		}
		op, ok := item.(map[string]any)[strings.ToLower(method)].(map[string]any)
		return "/paths/" + strings.ReplaceAll(pattern, "/", "~1") + "/" + strings.ToLower(method), op, ok
	}
	return "", nil, false
}

func matches(pattern, path string) bool {
	a, b := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(a, b, func(p, s string) bool { return p == s || strings.HasPrefix(p, "{") && s != "" })
}

// checkAnswer holds a request and its answer against the document.
func (d *document) checkAnswer(method, path, body string, a answer) error {
	pointer, op, ok := d.operation(method, path)
	if !ok {
		return fmt.Errorf("%s %s is not in the document", method, path)
	}
	if _, described := op["requestBody"]; described && body != "" && a.status < 300 {
		if err := d.check(pointer+"/requestBody/content/application~1json/schema", []byte(body)); err != nil {
			return fmt.Errorf("a body that was taken: %w", err)
		}
	}
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if a.status >= 400 {
		if media != "application/problem+json" {
			return fmt.Errorf("status %d with %q", a.status, media)
		}
		return d.check(component("Problem"), a.body)
	}
	code := fmt.Sprint(a.status)
	response, ok := op["responses"].(map[string]any)[code].(map[string]any)
	if !ok {
		return fmt.Errorf("status %s of %s %s is not in the document", code, method, path)
	}
	if response["content"] == nil {
		if len(a.body) > 0 {
			return fmt.Errorf("a body that the document does not know: %s", a.body)
		}
		return nil
	}
	return d.check(pointer+"/responses/"+code+"/content/"+strings.ReplaceAll(media, "/", "~1")+"/schema", a.body)
}

// get asks the handler itself.
func get(t *testing.T, h http.Handler, path string) []byte {
	t.Helper()
	w := newRecorder()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

func emptyAPI() chi.Router {
	r := chi.NewRouter()
	studio.New(studio.Options{}).Routes(r)
	return r
}

// TestDocument: what is served is OpenAPI 3.1 by its own schema, and JSON and YAML say
// the same.
func TestDocument(t *testing.T) {
	r := emptyAPI()
	asJSON, asYAML := get(t, r, "/api/v1/openapi.json"), get(t, r, "/api/v1/openapi.yaml")
	var a, b any
	if err := json.Unmarshal(asJSON, &a); err != nil {
		t.Fatal(err)
	}
	converted, err := yaml.YAMLToJSON(asYAML)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(converted, &b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("YAML and JSON differ:\n%s", diff)
	}
	f, err := os.Open("testdata/oas31.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	standard, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	const url = "https://spec.openapis.org/oas/3.1/schema/2022-10-07"
	if err := c.AddResource(url, standard); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(url)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("the document is not OpenAPI 3.1: %v", err)
	}
	d := readDocument(t, r)
	for name := range d.root["components"].(map[string]any)["schemas"].(map[string]any) {
		if _, err := d.schemas.Compile(documentURL + "#" + component(name)); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
}

// TestRoutes: every route is in the document, and every path of the document is a route.
func TestRoutes(t *testing.T) {
	r := emptyAPI()
	var routes, described []string
	if err := chi.Walk(r, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		routes = append(routes, method+" "+strings.TrimSuffix(strings.TrimPrefix(route, "/api/v1"), "/"))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for path, item := range readDocument(t, r).root["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(routes)
	slices.Sort(described)
	if diff := cmp.Diff(described, routes); diff != "" {
		t.Errorf("document and routes differ (-document +routes):\n%s", diff)
	}
}
