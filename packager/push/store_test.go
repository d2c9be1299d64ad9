package push_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/packager"
	"longwave/packager/push"
)

// TestHedge: an object whose first put hangs arrives by a second one, soon and once;
// a playlist is not put twice.
func TestHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(0)
		l.hang = func(_ packager.Key, nth int) bool { return nth == 1 }
		q, _ := run(t, l, push.Options{})
		began := time.Now()
		q.Send(segment(1))
		q.Send(playlist(1))
		time.Sleep(400 * time.Millisecond)
		if at := l.when(segment(1).Key).Sub(began); at < 300*time.Millisecond || at > 350*time.Millisecond {
			t.Errorf("the segment arrived after %v", at)
		}
		if n := l.tried(playlist(1).Key); n != 1 {
			t.Errorf("the playlist was put %d times", n)
		}
		time.Sleep(10 * time.Second)
		if n := l.tried(segment(1).Key); n != 2 || q.Waiting() != 0 || l.when(playlist(1).Key).IsZero() {
			t.Errorf("the segment was put %d times, %d objects wait", n, q.Waiting())
		}
	})
}

// TestHedgesAreFew: on a line that is slow as a whole second puts would make it slower.
func TestHedgesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(0)
		l.hang = func(packager.Key, int) bool { time.Sleep(500 * time.Millisecond); return false }
		q, _ := run(t, l, push.Options{})
		for i := range int64(100) {
			q.Send(segment(i))
			time.Sleep(time.Second)
		}
		puts := l.puts()
		if puts < 106 || puts > 120 {
			t.Errorf("100 objects were put %d times", puts)
		}
	})
}

// TestOutage: a store that is away for two hours costs neither bytes of memory nor an
// object, and what is new arrives at once when it is back, before the backlog.
func TestOutage(t *testing.T) {
	for name, c := range map[string]struct {
		rate float64
		most time.Duration // until it is drained
	}{
		"a line of twice the ladder": {2 * ladderRate * 1.2, 4 * time.Hour},
		"a good line":                {5_000_000, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, j := newLink(c.rate), &journal{}
				reg := prometheus.NewRegistry()
				q, log := run(t, l, push.Options{Journal: j, Registry: reg})
				s := &studio{q: q, journal: j}
				s.segments(5)
				l.set(errDown)
				s.segments(3600 * 2 * 100 / 192)
				if b := gauge(t, reg, "longwave_push_waiting_bytes"); b > 1_000_000 {
					t.Errorf("%v bytes of memory wait", b)
				}
				if age := gauge(t, reg, "longwave_push_oldest_age_seconds"); age < 7_190 || age > 7_210 {
					t.Errorf("the oldest object is said to have been waiting for %v s", age)
				}
				l.set(nil)
				back := s.msn
				s.segments(6)
				for _, r := range rungs {
					if at := l.when(s.key(r.name, back+4)); at.IsZero() {
						t.Errorf("10 s after the store was back segment 5 of %s was not there: %v", r.name, at)
					}
				}
				if took := s.until(c.most); took >= c.most {
					t.Errorf("not drained after %v: %d objects wait", took, q.Waiting())
				}
				if got, want := l.has(), int(s.msn)*len(rungs); got != want {
					t.Errorf("%d of %d segments arrived", got, want)
				}
				if kept, spooled := log.count(); kept+spooled != int(s.msn)*len(rungs) || s.most != 0 {
					t.Errorf("%d acknowledged as kept, %d as spooled, of %d; %d renditions were shed", kept, spooled, int(s.msn)*len(rungs), s.most)
				}
				s.inTime(t, l, back+5, s.msn-2)
			})
		})
	}
}

func (s *studio) key(rendition string, msn int64) packager.Key {
	return packager.Key{Station: "talk", Rendition: rendition, Kind: packager.Segment, MSN: msn}
}

// inTime checks that every segment between two numbers arrived before the next was due.
func (s *studio) inTime(t *testing.T, l *link, from, to int64) {
	t.Helper()
	end := time.Now() // segment msn was sent (s.msn-msn) steps ago
	for msn := from; msn < to; msn++ {
		sent := end.Add(-time.Duration(s.msn-msn) * step)
		for _, r := range rungs {
			if took := l.when(s.key(r.name, msn)).Sub(sent); took > 2*step {
				t.Fatalf("segment %d of %s took %v while the backlog was sent", msn, r.name, took)
			}
		}
	}
}

func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// TestOverload: a line of 1.2 times the ladder, which is too little with playlists and
// headers, and ones far below it: the lowest renditions stay within two segments, the
// highest are shed and come back, and in the end the store has everything.
func TestOverload(t *testing.T) {
	for _, factor := range []float64{1.2, 1, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4} {
		t.Run(fmt.Sprint(factor), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, j := newLink(20*ladderRate), &journal{}
				q, _ := run(t, l, push.Options{Journal: j})
				s := &studio{q: q, journal: j}
				s.segments(10)
				l.setRate(factor * ladderRate)
				from := s.msn
				s.segments(32)
				end, last := time.Now(), s.msn
				l.setRate(20 * ladderRate)
				if s.most == 0 && factor < 1 {
					t.Errorf("nothing was shed")
				}
				s.segments(200)
				worst := time.Duration(0)
				for msn := from; msn < last; msn++ {
					sent := end.Add(-time.Duration(last-msn) * step)
					for _, r := range []string{"opus-24", "aac-48"} {
						took := l.when(s.key(r, msn)).Sub(sent)
						worst = max(worst, took)
						if took > 2*step {
							t.Errorf("segment %d of %s took %v", msn-from, r, took)
						}
					}
				}
				t.Logf("%.2f times the ladder: at most %v, %d renditions were shed", factor, worst, s.most)
				if n := q.Shed(3); n != 0 {
					t.Errorf("%d renditions are still shed", n)
				}
				if took := s.until(time.Minute); l.has() != int(s.msn)*len(rungs) {
					t.Errorf("%d of %d segments arrived %v later", l.has(), int(s.msn)*len(rungs), took)
				}
			})
		})
	}
}

func (l *link) setRate(rate float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate, l.free = rate, time.Now()
}

// TestNoFlapping: a store that cannot bear what it was given back is given it later
// and later.
func TestNoFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		l, j := newLink(1.2*ladderRate), &journal{}
		q, _ := run(t, l, push.Options{Journal: j, Registry: reg})
		s := &studio{q: q, journal: j}
		s.segments(1000) // 32 minutes
		n := gauge(t, reg, "longwave_push_sheds_total")
		if n < 2 || n > 12 {
			t.Errorf("renditions were taken away %v times in half an hour", n)
		}
	})
}

// TestCatchUp: what an earlier run left is read from the journal and sent when there is
// nothing newer, what the journal no longer has is given up and said once.
func TestCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		reg := prometheus.NewRegistry()
		l, j := newLink(0), &journal{}
		q, _ := run(t, l, push.Options{Journal: j, Registry: reg, Log: slog.New(slog.NewTextHandler(&text, nil))})
		for i := range int64(100) {
			if i != 20 && i != 30 {
				j.keep(segment(i))
			}
			q.Owe(segment(i).Key)
			if !q.Owes(segment(i).Key) || q.Owes(segment(i+1).Key) {
				t.Fatal("it does not know what it owes")
			}
		}
		q.Owe(segment(7).Key) // again
		time.Sleep(time.Minute)
		if l.has() != 98 || q.Waiting() != 0 || gauge(t, reg, "longwave_push_lost_objects_total") != 2 {
			t.Errorf("%d arrived, %d wait, %v were given up", l.has(), q.Waiting(), gauge(t, reg, "longwave_push_lost_objects_total"))
		}
		if n := strings.Count(text.String(), "cannot be read on this machine"); n != 1 {
			t.Errorf("said %d times:\n%s", n, text.String())
		}
	})
}

// TestAwayIsNotFlooded: a store that is away is asked now and then.
func TestAwayIsNotFlooded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, j := newLink(0), &journal{}
		q, _ := run(t, l, push.Options{Journal: j})
		s := &studio{q: q, journal: j}
		l.set(errDown)
		s.segments(100)
		puts := l.puts()
		if puts < 50 || puts > 120 { // once in about 2.5 s
			t.Errorf("it was asked %d times in 192 s", puts)
		}
	})
}

// TestVerySlow: a store that takes longer for each put than a put may take gets what
// there is all the same.
func TestVerySlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, j := newLink(0), &journal{}
		l.slow = 6 * time.Second
		q, _ := run(t, l, push.Options{Journal: j})
		for i := range int64(20) {
			j.keep(segment(i))
			q.Send(segment(i))
		}
		time.Sleep(5 * time.Minute)
		if l.has() != 20 || q.Waiting() != 0 {
			t.Errorf("%d arrived, %d wait", l.has(), q.Waiting())
		}
	})
}

// TestOneThatCannotBePut: an object that the store cannot take for a while does not
// hold up the backlog.
func TestOneThatCannotBePut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, j := newLink(0), &journal{}
		s := &sink{down: func(k packager.Key) error {
			if k.MSN == 0 {
				return errDown
			}
			return l.Put(t.Context(), segment(k.MSN))
		}, t: t, now: map[string]string{}, busy: map[packager.Key]bool{}}
		q, _ := run(t, s, push.Options{Journal: j})
		for i := range int64(50) {
			j.keep(segment(i))
			q.Owe(segment(i).Key)
		}
		time.Sleep(5 * time.Minute)
		if l.has() != 49 || q.Waiting() != 1 {
			t.Errorf("%d arrived, %d wait", l.has(), q.Waiting())
		}
	})
}

// TestRefused: credentials that become wrong in the middle are said once, with what to
// do, and shown by a figure until they are mended.
func TestRefused(t *testing.T) {
	refused := errors.New("the secret key does not belong to the access key: put both in again")
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		reg := prometheus.NewRegistry()
		l, j := newLink(0), &journal{}
		q, _ := run(t, l, push.Options{
			Journal: j, Registry: reg, Log: slog.New(slog.NewTextHandler(&text, nil)),
			Refused: func(err error) bool { return errors.Is(err, refused) },
		})
		s := &studio{q: q, journal: j}
		s.segments(5)
		l.set(refused)
		s.segments(60) // many more, and the race detector itself gives up now and then
		if n := strings.Count(text.String(), "level=ERROR msg=\"store refuses what we send"); n != 1 || !strings.Contains(text.String(), "put both in again") {
			t.Errorf("said %d times:\n%s", n, text.String())
		}
		if gauge(t, reg, "longwave_push_refused") != 1 {
			t.Error("the figure does not show it")
		}
		l.set(nil)
		s.segments(20)
		if gauge(t, reg, "longwave_push_refused") != 0 || l.has() < int(s.msn-1)*len(rungs) {
			t.Errorf("after it was mended: figure %v, %d of %d segments", gauge(t, reg, "longwave_push_refused"), l.has(), int(s.msn)*len(rungs))
		}
	})
}

// TestOrder: behind a put that is under way, small things go first, then new segments
// of the lowest renditions, then the others, the backlog, and fillers last.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, j := newLink(1_000), &journal{}
		q, _ := run(t, l, push.Options{Journal: j, Workers: 1})
		named := func(rendition string, kind packager.Kind, msn int64) packager.Object {
			k := packager.Key{Station: "talk", Rendition: rendition, Kind: kind, MSN: msn}
			if kind == packager.Init {
				k.Name = "x"
			}
			return packager.Object{Key: k}
		}
		q.Send(named("a", packager.Segment, 1))
		synctest.Wait()
		old, filler, basic, late := named("a", packager.Segment, 2), named("a", packager.Segment, 3), named("b", packager.Segment, 4), named("a", packager.Segment, 5)
		filler.Filler, basic.Basic, late.Late = true, true, true
		j.keep(old)
		q.Owe(old.Key)
		for _, o := range []packager.Object{filler, late, named("a", packager.Segment, 6), basic, named("b", packager.Init, 0)} {
			q.Send(o)
		}
		time.Sleep(time.Minute)
		var got []int64
		for _, k := range l.arrived() {
			got = append(got, k.MSN)
		}
		if fmt.Sprint(got) != "[1 0 4 6 5 2 3]" {
			t.Errorf("sent in the order %v", got)
		}
	})
}
