package studio

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// mostBody is how large a request's body may be, in bytes.
const mostBody = 64 << 10

// decode reads the request's JSON object into v: nothing but the fields that v has.
func (c *call) decode(v any) error {
	media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return problemf(http.StatusUnsupportedMediaType, kindMediaType, "Send JSON, with \"Content-Type: application/json\".")
	}
	dec := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, mostBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return bodyProblem(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("more after the object")
		}
		return bodyProblem(err)
	}
	return nil
}

// maybe is decode for a body that may be left out.
func (c *call) maybe(v any) error {
	if c.r.ContentLength == 0 {
		return nil
	}
	return c.decode(v)
}

// bodyProblem says what is wrong with a body.
func bodyProblem(err error) error {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problemf(http.StatusRequestEntityTooLarge, kindTooLarge, "The body is larger than %d kB.", mostBody>>10)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field == "" {
			return problemf(http.StatusUnprocessableEntity, kindInvalid, "Send one JSON object, not a %s.", e.Value)
		}
		return problemf(http.StatusUnprocessableEntity, kindInvalid, "%q must not be a %s.", e.Field, e.Value)
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return problemf(http.StatusBadRequest, kindMalformed, "The body is not JSON: %s at byte %d.", e, e.Offset)
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return problemf(http.StatusUnprocessableEntity, kindInvalid, "There is no field %s here.", field)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return problemf(http.StatusBadRequest, kindMalformed, "The body ends too early: send one JSON object.")
	}
	return problemf(http.StatusBadRequest, kindMalformed, "The body cannot be read: %s.", err)
}

// invalid refuses a value.
func invalid(format string, args ...any) error {
	return problemf(http.StatusUnprocessableEntity, kindInvalid, "%s", fmt.Sprintf(format, args...))
}
