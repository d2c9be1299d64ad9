package listen

import (
	"fmt"
	"slices"

	"longwave/packager/hls/hlstest"
)

// The rules that only a client over a network can see broken.
var rules = []hlstest.Rule{
	{Name: "unreachable", Section: "-", Severity: hlstest.Must, Scope: hlstest.HTTP, Says: "what is asked for is answered, whole and in time"},
	{Name: "segment-missed", Section: "6.2.2", Severity: hlstest.Must, Scope: hlstest.OverTime, Says: "every segment is listed long enough for a client to see it"},
	{Name: "hinted-part-missing", Section: "6.2.6", Severity: hlstest.Must, Scope: hlstest.OverTime, Says: "a hinted part can be asked for at once and is sent when it exists"},
	{Name: "part-drip", Section: "6.2.6", Severity: hlstest.Should, Scope: hlstest.HTTP, Says: "a part is sent when all of it can be sent at once"},
	{Name: "removed-early", Section: "6.2.2", Severity: hlstest.Must, Scope: hlstest.HTTP, Says: "a segment stays for the time of the playlist and its own, a part for three target durations after its tag"},
	{Name: "bytes-changed", Section: "6.2.1", Severity: hlstest.Must, Scope: hlstest.Bytes, Says: "a file does not change"},
	{Name: "delta-differs", Section: "6.2.5.1", Severity: hlstest.Must, Scope: hlstest.OverTime, Says: "a delta update and the playlist before it make the full playlist"},
	{Name: "report-ahead", Section: "4.4.5.4", Severity: hlstest.Must, Scope: hlstest.Renditions, Says: "what a rendition report names is there when a client switches"},
	{Name: "reload-held", Section: "6.2.5.2", Severity: hlstest.Should, Scope: hlstest.HTTP, Says: "a blocking reload is answered within three target durations"},
	{Name: "reload-past", Section: "6.2.5.2", Severity: hlstest.Must, Scope: hlstest.HTTP, Says: "a reload that asks for what is listed, or was, is answered at once with the playlist"},
	{Name: "reload-part-alone", Section: "6.2.5.2", Severity: hlstest.Must, Scope: hlstest.HTTP, Says: "_HLS_part without _HLS_msn is refused with 400"},
	{Name: "reload-ahead", Section: "6.2.5.2", Severity: hlstest.Should, Scope: hlstest.HTTP, Says: "a reload for more than the next two segments is refused with 400, at once"},
	{Name: "reload-nonsense", Section: "-", Severity: hlstest.Should, Scope: hlstest.HTTP, Says: "a delivery directive that is no number is refused with 400"},
	{Name: "part-unknown", Section: "6.2.6", Severity: hlstest.Should, Scope: hlstest.HTTP, Says: "a part that is not listed and not hinted at is 404, at once"},
	{Name: "query-unknown", Section: "6.3.1", Severity: hlstest.Should, Scope: hlstest.HTTP, Says: "a query parameter that the server does not know changes nothing"},
	{Name: "gzip-unasked", Section: "RFC 9110 12.5.3", Severity: hlstest.Must, Scope: hlstest.HTTP, Says: "who does not accept gzip does not get it"},
	{Name: "http-head", Section: "RFC 9110 9.3.2", Severity: hlstest.Should, Scope: hlstest.HTTP, Says: "HEAD is answered with the header of GET and no body"},
	{Name: "http-preflight", Section: "-", Severity: hlstest.Should, Scope: hlstest.HTTP, Says: "OPTIONS tells pages of every origin that they may read"},
	{Name: "bandwidth-exceeded", Section: "4.1, 4.4.6.2", Severity: hlstest.Must, Scope: hlstest.Multivariant, Says: "BANDWIDTH is at least the bit rate of any run of 0.5 to 1.5 target durations"},
	{Name: "average-exceeded", Section: "A (bit rates)", Severity: hlstest.Should, Scope: hlstest.Multivariant, Says: "over a long time segments have at most 110 % of AVERAGE-BANDWIDTH"},
	{Name: "format-unknown", Section: "-", Severity: hlstest.Should, Scope: hlstest.Bytes, Says: "segments are fragmented MP4: others are not judged here"},
	{Name: "silence", Section: "-", Severity: hlstest.Should, Scope: hlstest.Bytes, Says: "a programme is not silent for five seconds"},
	{Name: "undecodable", Section: "-", Severity: hlstest.Must, Scope: hlstest.Bytes, Says: "ffmpeg decodes the sound without a complaint"},
	{Name: "clock", Section: "4.4.4.6", Severity: hlstest.Should, Scope: hlstest.OverTime, Says: "dates are those of the sound: the live edge is neither in the future nor minutes old"},
}

// Rules returns the rules of this package; those of package hlstest apply too.
func Rules() []hlstest.Rule { return slices.Clone(rules) }

// broken returns that the rule called name was broken. A name that no rule has is a
// mistake of this package.
func broken(name, format string, args ...any) hlstest.Violation {
	i := slices.IndexFunc(rules, func(r hlstest.Rule) bool { return r.Name == name })
	if i < 0 {
		panic("listen: no rule is called " + name)
	}
	return hlstest.Violation{Rule: rules[i], Found: fmt.Sprintf(format, args...)}
}
