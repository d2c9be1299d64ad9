package listen

import (
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Millis is a time that is written in milliseconds in JSON, with one decimal.
type Millis time.Duration

// MarshalJSON implements [json.Marshaler].
func (m Millis) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, m.ms(), 'f', 1, 64), nil
}

func (m Millis) ms() float64 { return float64(m) / float64(time.Millisecond) }

// A Spread says how times were distributed. Without samples all is zero.
type Spread struct {
	Samples int    `json:"samples"`
	P50     Millis `json:"p50_ms"`
	P99     Millis `json:"p99_ms"`
	Max     Millis `json:"max_ms"`
}

// A sketch counts times in buckets that are less than a hundredth of the time
// wide, so that any number of them takes a few kilobytes. Times may be negative.
// Several goroutines may use it.
type sketch struct {
	mu      sync.Mutex
	n       int
	longest time.Duration
	buckets map[int]int
}

func (s *sketch) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets == nil {
		s.buckets = map[int]int{}
	}
	if s.n == 0 || d > s.longest {
		s.longest = d
	}
	s.n++
	s.buckets[bucket(d)]++
}

// join adds what o counted; nobody else has s yet.
func (s *sketch) join(o *sketch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n == 0 {
		return
	}
	if s.buckets == nil {
		s.buckets = map[int]int{}
	}
	if s.n == 0 || o.longest > s.longest {
		s.longest = o.longest
	}
	s.n += o.n
	for k, n := range o.buckets {
		s.buckets[k] += n
	}
}

// bucket numbers a time: microseconds of which the first eight binary digits count.
func bucket(d time.Duration) int {
	us := uint64(d.Abs().Microseconds())
	e := max(0, bits.Len64(us)-8)
	k := e<<8 | int(us>>e)
	if d < 0 {
		return -k
	}
	return k
}

// unbucket returns the middle of a bucket.
func unbucket(k int) time.Duration {
	if k < 0 {
		return -unbucket(-k)
	}
	e := k >> 8
	us := uint64(k&255)<<e + 1<<e>>1
	return time.Duration(us) * time.Microsecond
}

func (s *sketch) spread() Spread {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Spread{Samples: s.n, P50: Millis(s.quantile(50)), P99: Millis(s.quantile(99)), Max: Millis(s.longest)}
}

// quantile returns the time that percent of the samples do not exceed.
func (s *sketch) quantile(percent int) time.Duration {
	seen := 0
	for _, k := range slices.Sorted(maps.Keys(s.buckets)) {
		if seen += s.buckets[k]; seen*100 >= s.n*percent {
			return min(unbucket(k), s.longest)
		}
	}
	return 0
}
