package packager

import (
	"fmt"
	"strings"
	"time"

	"longwave/ingest/pcm"
)

// SegmentSamples is the length of every segment: 1.92 s, 96 Opus frames and 90 AAC
// frames, so that both codecs cut at the same instants.
const SegmentSamples pcm.Pos = 92_160

// TargetDuration is EXT-X-TARGETDURATION (rfc8216bis section 4.4.3.1).
const TargetDuration = 2 * time.Second

// MSN returns the media sequence number of the segment that holds p. It is a pure
// function of time: an encoder that restarts, or a twin on another machine, goes
// on with the same numbers.
func MSN(p pcm.Pos) int64 { return int64(p.Floor(SegmentSamples) / SegmentSamples) }

// SegmentPos returns the position of the first sample of a segment.
func SegmentPos(msn int64) pcm.Pos { return pcm.Pos(msn) * SegmentSamples }

// Begin returns where a packager that starts at now begins: the first segment that it
// makes, and the first frame of its source, before which the segment holds near-silence.
// last is the newest segment that a run before this one began, of which parts may have
// been published, and a key never changes its bytes; negative: not known. So a run begins
// in the segment under way when that is a new one, and with the next one otherwise; after
// last when a clock was set back a little between them. A clock that was far ahead is not
// waited for: see [Repeats].
func Begin(now pcm.Pos, last int64) (start, first pcm.Pos) {
	if last >= 0 && MSN(now) > last {
		return SegmentPos(MSN(now)), now.Ceil(pcm.FrameSamples)
	}
	start = SegmentPos(MSN(now) + 1)
	if Repeats(now, last) == 0 {
		start = max(start, SegmentPos(last+1))
	}
	return start, start
}

// waitedFor is how many segments a run waits, at most, for a clock that was set back: 8 s
// of silence are better than as much of what caches kept of the run before.
const waitedFor = 4

// Repeats returns for how long a run that starts at now may make numbers again that a run
// before it made, up to last, because the clock was set back by more than is waited for.
func Repeats(now pcm.Pos, last int64) time.Duration {
	if n := last - MSN(now); n > waitedFor {
		return time.Duration(n) * pcm.Duration(SegmentSamples)
	}
	return 0
}

// A Profile trades delay against the number of requests.
type Profile struct {
	Name string
	// PartSamples is the length of a part; of AAC parts only on average where it is
	// not a multiple of 1024. SegmentSamples means that there are no parts.
	PartSamples pcm.Pos
	// HoldBackParts is PART-HOLD-BACK in parts.
	HoldBackParts int
}

var profiles = []Profile{
	{Name: "fast", PartSamples: SegmentSamples / 12, HoldBackParts: 3},
	{Name: "low", PartSamples: SegmentSamples / 6, HoldBackParts: 4},
	{Name: "calm", PartSamples: SegmentSamples / 2, HoldBackParts: 3},
	{Name: "plain", PartSamples: SegmentSamples},
}

// ParseProfile returns the profile of that name: fast, low, calm or plain.
func ParseProfile(name string) (Profile, error) {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		if p.Name == name {
			return p, nil
		}
		names[i] = p.Name
	}
	return Profile{}, fmt.Errorf("unknown profile %q: use one of %s", name, strings.Join(names, ", "))
}

// Parts returns the number of parts in a segment; 1 means that there are none to
// be published.
func (p Profile) Parts() int { return int(SegmentSamples / p.PartSamples) }

// Plain reports whether segments are all there is.
func (p Profile) Plain() bool { return p.PartSamples == SegmentSamples }
