package packager

import (
	"slices"
	"time"
)

// The Cache-Control values of the audience's side.
const (
	CacheMultivariant = "public, max-age=10, stale-while-revalidate=30, stale-if-error=3600"
	CacheMedia        = "public, max-age=1, stale-if-error=4"
	CacheBlocking     = "public, max-age=1" // a media playlist asked for with _HLS_msn: see DECISIONS.md
	CacheForever      = "public, max-age=31536000, immutable"
	CachePart         = "public, max-age=3600, immutable"
	CacheState        = "public, max-age=5"
	CacheNever        = "no-store" // errors
)

// A CacheRule says how a cache between the origin and listeners treats one kind of
// object. Everything that is not an object (pages) has the origin's own Cache-Control,
// and no query parameter counts there either.
type CacheRule struct {
	Kind    Kind
	Name    string   // of the kind, for files that are made of the table
	Path    string   // regular expression of the whole path of a URL (RE2 and PCRE), with its first slash
	Control string   // Cache-Control
	Query   []string // the parameters that make two requests different, in the order of a cache's key
	// Blocking is the Cache-Control of an answer to a request with such parameters.
	Blocking string
}

// The longest times that a cache has to know.
const (
	// LongestWait is how long the origin holds a blocked request before it answers
	// (rfc8216bis section 6.2.5.2): a cache waits longer.
	LongestWait = 3 * TargetDuration
	// CacheErrors is how long a cache may keep an error. The part that is not there yet is
	// there a moment later, and a cache that cannot forbear to keep errors gives them to
	// everybody until then.
	CacheErrors = 100 * time.Millisecond
	// CacheGone is the status of a live playlist that nobody has anew and that is too old to
	// be given: players and caches go on to the next way at once, where a 503 has hls.js wait.
	CacheGone = 404
)

// Paths are made of names and numbers: see [ValidName] and [Key].
const (
	namePath      = `[a-z0-9][a-z0-9_-]{0,62}`
	renditionPath = `^/` + namePath + `/` + namePath
)

var cacheRules = [...]CacheRule{
	{Kind: Multivariant, Name: "multivariant", Path: `^/` + namePath + `/` + namePath + `\.m3u8$`, Control: CacheMultivariant},
	{
		Kind: Media, Name: "media", Path: renditionPath + `/live\.m3u8$`, Control: CacheMedia,
		Query: []string{"_HLS_msn", "_HLS_part", "_HLS_skip"}, Blocking: CacheBlocking, // rfc8216bis section 6.2.5
	},
	{Kind: Init, Name: "init", Path: renditionPath + `/init-` + namePath + `\.mp4$`, Control: CacheForever},
	{Kind: Segment, Name: "segment", Path: renditionPath + `/[0-9]+\.m4s$`, Control: CacheForever},
	{Kind: Part, Name: "part", Path: renditionPath + `/[0-9]+\.[0-9]+\.m4s$`, Control: CachePart},
	{Kind: State, Name: "state", Path: `^/` + namePath + `/` + namePath + `\.json$`, Control: CacheState},
}

// CacheRules returns the table, a rule a kind of key.
func CacheRules() []CacheRule {
	rules := cacheRules
	return rules[:]
}

// Paths that are not a station's begin with one of these: a station cannot have such a name,
// and what is closed a cache neither asks for nor gives out, because keys guard it or it is
// the operator's.
var (
	closedPaths = [...]string{
		"7.xsl", "admin", "api", "healthz", "ice", "metrics", "push", "readyz", "status-json.xsl", "studio", "whep", "whip",
	}
	openPaths = [...]string{"oembed"} // the audience's
)

// ClosedPaths returns the first elements of paths that are not for the audience, sorted.
func ClosedPaths() []string { return slices.Clone(closedPaths[:]) }

// ReservedName reports whether a station cannot have a name, because paths that begin with
// it are something else.
func ReservedName(name string) bool {
	return slices.Contains(closedPaths[:], name) || slices.Contains(openPaths[:], name)
}

// ReservedNames returns the names that no station can have, sorted.
func ReservedNames() []string {
	return slices.Sorted(slices.Values(append(ClosedPaths(), openPaths[:]...)))
}

// CacheControl returns the Cache-Control header of the object.
func (k Key) CacheControl() string {
	if i := int(k.Kind) - 1; i >= 0 && i < len(cacheRules) {
		return cacheRules[i].Control
	}
	return CacheNever
}
