package push_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"longwave/packager"
	"longwave/packager/push"
)

// A journal is a store on this machine, as the queue of another one reads it.
type journal struct {
	mu   sync.Mutex
	kept map[packager.Key][]byte
}

func (j *journal) keep(o packager.Object) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.kept == nil {
		j.kept = map[packager.Key][]byte{}
	}
	j.kept[o.Key] = o.Data
}

func (j *journal) Read(_ context.Context, k packager.Key) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if b, ok := j.kept[k]; ok {
		return b, nil
	}
	return nil, fs.ErrNotExist
}

// A link is a store behind a line of so many byte/s that all puts share, packet by
// packet. Hung puts of a key never end.
type link struct {
	rate  float64       // byte/s; 0: no limit
	slow  time.Duration // before each answer
	hang  func(k packager.Key, nth int) bool
	mu    sync.Mutex
	free  time.Time // of the line
	down  error
	tries map[packager.Key]int
	kept  map[packager.Key][]byte
	at    map[packager.Key]time.Time
	order []packager.Key
}

func newLink(rate float64) *link {
	return &link{rate: rate, tries: map[packager.Key]int{}, kept: map[packager.Key][]byte{}, at: map[packager.Key]time.Time{}}
}

func (l *link) Put(ctx context.Context, o packager.Object) error {
	l.mu.Lock()
	l.tries[o.Key]++
	nth, down := l.tries[o.Key], l.down
	l.mu.Unlock()
	if down != nil {
		return down
	}
	if l.hang != nil && l.hang(o.Key, nth) {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	wait := l.slow
	for left := len(o.Data) + 900; left > 0; left -= 1_460 { // headers
		select {
		case <-time.After(wait + l.reserve(min(left, 1_460))):
			wait = 0
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, ok := l.kept[o.Key]; ok && o.Key.Immutable() && !bytes.Equal(old, o.Data) {
		return errors.New("other bytes")
	}
	l.kept[o.Key], l.at[o.Key] = o.Data, time.Now()
	l.order = append(l.order, o.Key)
	return nil
}

// reserve returns how long it takes until n bytes more are through.
func (l *link) reserve(n int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate == 0 {
		return 0
	}
	if now := time.Now(); l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	return time.Until(l.free)
}

func (l *link) set(down error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// has counts the segments that arrived.
func (l *link) has() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for k := range l.kept {
		if k.Kind == packager.Segment {
			n++
		}
	}
	return n
}

// when returns when an object arrived; zero: it did not.
func (l *link) when(k packager.Key) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at[k]
}

// tried returns how often an object was put, puts how often any.
func (l *link) tried(k packager.Key) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tries[k]
}

func (l *link) puts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := 0
	for _, n := range l.tries {
		all += n
	}
	return all
}

// arrived returns what arrived, in that order.
func (l *link) arrived() []packager.Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.order)
}

// run runs q in the bubble and takes in what it acknowledges.
func run(t *testing.T, sink packager.Sink, opt push.Options) (*push.Queue, *ackLog) {
	t.Helper()
	opt.Name = "test"
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	q := push.New(sink, opt)
	log := &ackLog{errs: map[packager.Key]error{}}
	ctx, cancel := context.WithCancel(t.Context())
	var both sync.WaitGroup
	both.Go(func() {
		if err := q.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	both.Go(func() {
		for {
			select {
			case a := <-q.Acks():
				log.mu.Lock()
				log.errs[a.Key] = a.Err
				log.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		both.Wait()
	})
	return q, log
}

type ackLog struct {
	mu   sync.Mutex
	errs map[packager.Key]error
}

// count returns how many acknowledgements were nil, and how many said spooled.
func (l *ackLog) count() (kept, spooled int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, err := range l.errs {
		switch {
		case k.Kind != packager.Segment:
		case err == nil:
			kept++
		case errors.Is(err, push.ErrSpooled):
			spooled++
		}
	}
	return kept, spooled
}

// step is the length of a segment.
const step = 1920 * time.Millisecond

// rungs are the bytes of a segment of each rendition of the ladder.
var rungs = []struct {
	name  string
	bytes int
	basic bool
}{
	{"opus-24", 7_200, true}, {"opus-48", 13_200, false}, {"opus-96", 25_400, false}, {"aac-48", 14_900, true}, {"aac-96", 28_800, false},
}

const ladderRate = (7_200 + 13_200 + 25_400 + 14_900 + 28_800) / 1.92 // byte/s

// A studio makes segments and playlists as the packager does: what is shed it spools.
type studio struct {
	q       *push.Queue
	journal *journal
	msn     int64
	shed    map[string]bool
	most    int // that were shed at one time
}

// dearest is the order in which renditions are shed.
var dearest = []string{"aac-96", "opus-96", "opus-48"}

func (s *studio) segment() {
	n := s.q.Shed(len(dearest))
	s.most = max(s.most, n)
	for i, name := range dearest {
		if s.shed == nil {
			s.shed = map[string]bool{}
		}
		s.shed[name] = i < n
	}
	for _, r := range rungs {
		k := packager.Key{Station: "talk", Rendition: r.name, Kind: packager.Segment, MSN: s.msn}
		o := packager.Object{Key: k, Data: bytes.Repeat(fmt.Append(nil, s.msn, " "), r.bytes/10)[:r.bytes/10*2], Basic: r.basic}
		o.Data = append(o.Data, make([]byte, r.bytes-len(o.Data))...)
		s.journal.keep(o)
		if s.shed[r.name] {
			s.q.Spool(o)
			continue
		}
		s.q.Send(o)
		s.q.Send(packager.Object{Key: packager.Key{Station: "talk", Rendition: r.name, Kind: packager.Media}, Data: make([]byte, 2_500), Basic: r.basic})
	}
	s.msn++
	time.Sleep(step)
}

func (s *studio) segments(n int) {
	for range n {
		s.segment()
	}
}

// until makes segments until there is nothing left to send, and returns how long that
// took; it gives up after most.
func (s *studio) until(most time.Duration) time.Duration {
	began := time.Now()
	for s.q.Waiting() > 0 && time.Since(began) < most {
		s.segment()
	}
	return time.Since(began)
}
