package config

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Size is a number of bytes, written "20GB", "500MB" or as a plain number.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1}, {"", 1}}

// UnmarshalYAML implements yaml.BytesUnmarshaler.
func (s *Size) UnmarshalYAML(text []byte) error {
	v := strings.Trim(strings.TrimSpace(string(text)), `"'`)
	for _, u := range sizeUnits {
		num, ok := strings.CutSuffix(v, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
		if err != nil || n < 0 || n*u.bytes > 1<<62 {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size for keep_bytes: write it as in 20GB", v)
}

// plainType says in words what a value should be.
func plainType(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "length of time, as in 24h or 90s"
	case t.Kind() == reflect.Int:
		return "whole number"
	case t.Kind() == reflect.Bool:
		return "switch: write true or false"
	case t.Kind() == reflect.Slice:
		return "list: write [a, b]"
	case t.Kind() == reflect.Struct:
		return "section with keys of its own"
	}
	return "text"
}

// suggest returns a hint at the configuration key that is spelled most like key.
func suggest(key string) string {
	best := slices.MinFunc(Keys(), func(a, b string) int {
		return cmp.Compare(distance(key, a), distance(key, b))
	})
	if distance(key, best) > (len(key)+1)/2 {
		return ": the README lists the keys"
	}
	return fmt.Sprintf(": did you mean %q?", best)
}

// Keys returns every key that a configuration may have, sorted.
func Keys() []string {
	keys := map[string]bool{}
	collectKeys(reflect.TypeFor[Config](), keys)
	return sortedKeys(keys)
}

func collectKeys(t reflect.Type, keys map[string]bool) {
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer:
		collectKeys(t.Elem(), keys)
	case reflect.Struct:
		for f := range t.Fields() {
			keys[f.Tag.Get("yaml")] = true
			collectKeys(f.Type, keys)
		}
	default:
	}
}

// distance is the number of letters to insert, delete or change to make b of a
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			sub := diag
			if a[i] != b[j] {
				sub++
			}
			diag = row[j+1]
			row[j+1] = min(sub, diag+1, row[j]+1)
		}
	}
	return row[len(b)]
}

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }
