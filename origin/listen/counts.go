package listen

import "sync"

// A class is what a request was for.
type class uint8

const (
	classPage class = iota
	classMultivariant
	classPlaylist // without delivery directives
	classReload   // held by the server until there is something new
	classInit
	classPart
	classHint // a part that did not exist yet; held
	classSegment
	classCheck // what no player asks for
	classes
)

var classNames = [classes]string{"page", "multivariant", "playlist", "reload", "init", "part", "hinted part", "segment", "check"}

// text reports whether what is asked for is text, for which players accept gzip.
func (c class) text() bool { return c <= classReload }

// A Requests says how requests of one kind went.
type Requests struct {
	Kind   string `json:"kind"`
	Count  int    `json:"count"`
	Failed int    `json:"failed"` // no answer, or one of 400 or more; checks want some
	Bytes  int64  `json:"bytes"`  // of bodies, as they came
	// TTFB is the time to the first byte. For reloads and hinted parts that is mostly
	// the time until there was something new.
	TTFB Spread `json:"ttfb"`
}

// counts counts requests.
type counts struct {
	mu  sync.Mutex
	all [classes]count // guarded by mu
}

type count struct {
	n, failed int
	bytes     int64
	ttfb      sketch
}

func (c *counts) add(k class, a *answer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := &c.all[k]
	n.n++
	n.bytes += a.wire
	if err != nil || a.status >= 400 {
		n.failed++
	}
	if err == nil {
		n.ttfb.add(a.wait())
	}
}

func (c *counts) bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum int64
	for k := range c.all {
		sum += c.all[k].bytes
	}
	return sum
}

// requests returns the kinds of which there were any.
func (c *counts) requests() []Requests {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := []Requests{}
	for k := range c.all {
		if n := &c.all[k]; n.n > 0 {
			all = append(all, Requests{Kind: classNames[k], Count: n.n, Failed: n.failed, Bytes: n.bytes, TTFB: n.ttfb.spread()})
		}
	}
	return all
}
