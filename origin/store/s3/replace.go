package s3

import (
	"context"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"longwave/origin/store"
)

// replaceRounds bounds how often a write is tried that finds another version than it
// expects: once for an own one whose answer was lost, and then for somebody else's.
const replaceRounds = 3

// replace writes n whatever is there, and yet on the condition that this is the version
// which is known: so a write that was given up, and that a proxy or the server still holds,
// never takes the place of a newer one.
func (s *Store) replace(ctx context.Context, n store.Name, data []byte) (store.ETag, error) {
	for range replaceRounds {
		is, err := s.version(ctx, n)
		if status(err) == http.StatusForbidden { // it may be written and not be looked at
			break
		}
		if err != nil {
			return "", err
		}
		in := s.input(n, data)
		if is == "" {
			in.IfNoneMatch = aws.String("*")
		} else {
			in.IfMatch = (*string)(&is)
		}
		out, err := s.client.PutObject(ctx, in)
		if err == nil {
			etag := store.ETag(aws.ToString(out.ETag))
			s.versions.set(n, etag)
			return etag, nil
		}
		if !isPrecondition(err, store.Compare) {
			return "", err
		}
		s.versions.forget(n)
	}
	out, err := s.client.PutObject(ctx, s.input(n, data))
	if err != nil {
		return "", err
	}
	return store.ETag(aws.ToString(out.ETag)), nil
}

// version returns the ETag of what is there, as far as this process knows; it asks when it
// knows nothing. It is empty when nothing is there.
func (s *Store) version(ctx context.Context, n store.Name) (store.ETag, error) {
	if e, ok := s.versions.get(n); ok {
		return e, nil
	}
	info, err := s.head(ctx, n)
	if err != nil && !isMissing(err) {
		return "", err
	}
	s.versions.set(n, info.ETag)
	return info.ETag, nil
}

// versions are what this process last left or found under names that change. The zero
// value is ready.
type versions struct {
	mu    sync.Mutex
	known map[store.Name]store.ETag // empty: nothing is there
}

func (v *versions) get(n store.Name) (store.ETag, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e, ok := v.known[n]
	return e, ok
}

func (v *versions) set(n store.Name, e store.ETag) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil {
		v.known = map[store.Name]store.ETag{}
	}
	v.known[n] = e
}

func (v *versions) forget(n store.Name) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.known, n)
}
