package broadcast_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"longwave/ingest/broadcast"
	"longwave/ingest/token"
)

// TestClock: doors open, lateness is told and the station returns to itself at the very
// moment, and nobody in the studio is put on air by that.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memory{}
		s := play(t, k)
		began := time.Now()
		s.do(broadcast.Announce{Broadcast: broadcast.Broadcast{ID: "b", Title: "B", Start: began.Add(12 * time.Second), Doors: 7 * time.Second}})
		s.speak(s.sign(token.Speaker, "Greta"))
		time.Sleep(4 * time.Second)
		if s.phase() != broadcast.Scheduled || s.hears() != "live" {
			t.Errorf("before the doors: %s, the audience hears the %s", s.phase(), s.hears())
		}
		time.Sleep(3 * time.Second)
		if s.phase() != broadcast.Doors || s.hears() != "hold" {
			t.Errorf("doors: %s, the audience hears the %s", s.phase(), s.hears())
		}
		time.Sleep(8 * time.Second)
		s.do(broadcast.GoLive{})
		time.Sleep(time.Second)
		if s.hears() != "live" {
			t.Errorf("live: the audience hears the %s", s.hears())
		}
		r := s.do(broadcast.End{})
		if b, _ := r.Broadcast("b"); b.Late(time.Now()) != 3*time.Second {
			t.Errorf("it was late by %v", b.Late(time.Now()))
		}
		for kind, want := range map[broadcast.NewsKind]time.Duration{
			broadcast.NewsDoors: 5 * time.Second, broadcast.NewsLate: 12*time.Second + 1,
		} {
			if got := s.since(kind, began); got != want {
				t.Errorf("%s after %v, want %v", kind, got, want)
			}
		}
		s.stop()
		if n := k.writes; n > 12 {
			t.Errorf("%d writes for an evening in which nearly nothing happened", n)
		}
	})
}

// TestAllGone: after a broadcast the station returns to auto mode when ten minutes have
// passed and everybody has left, so that nobody is put on air by it.
func TestAllGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := playFrom(t, &memory{}, broadcast.EndedFor)
		s.do(broadcast.GoLive{New: "b", Title: "B"})
		_, leave := s.speak(s.sign(token.Speaker, "Greta"))
		s.do(broadcast.End{})
		time.Sleep(broadcast.EndedFor + 3*time.Second)
		if s.phase() != broadcast.Ended || s.hears() != "hold" {
			t.Errorf("Greta is still there: %s, the audience hears the %s", s.phase(), s.hears())
		}
		leave()
		time.Sleep(3 * time.Second)
		if s.phase() != broadcast.Auto {
			t.Errorf("everybody has left: %s", s.phase())
		}
	})
}

// TestKilled: whenever the process is killed, the next one goes on where it was.
func TestKilled(t *testing.T) {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where fake time begins
	steps := []struct {
		name string
		do   func(s *stage, seats map[string]string)
	}{
		{"announce", func(s *stage, _ map[string]string) {
			s.do(broadcast.Announce{Broadcast: broadcast.Broadcast{ID: "b", Title: "B", Start: began.Add(20 * time.Second), Doors: 10 * time.Second}})
		}},
		{"link", func(s *stage, _ map[string]string) {
			s.do(broadcast.Issue{Link: broadcast.Link{ID: "00000001", Name: "Greta", Role: token.Speaker}})
		}},
		{"revoke", func(s *stage, _ map[string]string) { s.do(broadcast.Revoke{ID: "00000001"}) }},
		{"doors", func(*stage, map[string]string) { time.Sleep(11 * time.Second) }},
		{"come", func(s *stage, seats map[string]string) {
			seats["Hanna"], _ = s.speak(seats["Hanna's"])
			seats["Greta"], _ = s.speak(seats["Greta's"])
		}},
		{"late", func(*stage, map[string]string) { time.Sleep(10 * time.Second) }},
		{"live", func(s *stage, _ map[string]string) { s.do(broadcast.GoLive{}) }},
		{"on air", func(s *stage, seats map[string]string) {
			if err := errors.Join(s.programme.Desk().SetOnAir(seats["Greta"], true), s.programme.Desk().SetGain(seats["Greta"], -6), s.programme.Desk().SetMute(seats["Hanna"], true)); err != nil {
				s.t.Error(err)
			}
		}},
		{"hold", func(s *stage, _ map[string]string) { s.do(broadcast.SetHold{On: true}) }},
		{"hold off", func(s *stage, _ map[string]string) { s.do(broadcast.SetHold{}) }},
		{"end", func(s *stage, _ map[string]string) { s.do(broadcast.End{}) }},
	}
	for killed := range len(steps) + 1 {
		name := "at once"
		if killed > 0 {
			name = "after " + steps[killed-1].name
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &memory{}
				s := play(t, k)
				seats := map[string]string{"Hanna's": s.sign(token.Host, "Hanna"), "Greta's": s.sign(token.Speaker, "Greta")}
				for _, step := range steps[:killed] {
					step.do(s, seats)
					synctest.Wait()
				}
				was, _ := s.show.Look()
				places := s.programme.Desk().Places()

				kept := bytes.Clone(k.data)
				s.stop() // too late to be kept
				again := play(t, &memory{data: kept})
				is, _ := again.show.Look()
				if diff := cmp.Diff(was, is, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("what it knows (-killed +after):\n%s", diff)
				}
				if diff := cmp.Diff(places, again.programme.Desk().Places(), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("the places at the desk (-killed +after):\n%s", diff)
				}
				if is.Phase == broadcast.Live && !is.Hold && len(places) > 0 && places[1].OnAir {
					again.speak(seats["Greta's"])
					time.Sleep(time.Second)
					if again.hears() != "live" {
						t.Error("Greta is back and not heard")
					}
				}
				for _, step := range steps[killed:] {
					step.do(again, seats)
					synctest.Wait()
				}
				if again.phase() != broadcast.Ended {
					t.Errorf("the evening ended in %s", again.phase())
				}
			})
		})
	}
}

// TestStoreAway: the show goes on while nothing can be kept, tells it, and keeps all that
// was done when it can.
func TestStoreAway(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*memory)
	}{
		{"it refuses", func(m *memory) { m.fail = errAway }},
		{"it does not answer", func(m *memory) { m.hang = true }},
		{"it writes and says that it did not", func(m *memory) { m.after = errAway }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &memory{}
				s := play(t, k)
				s.do(broadcast.Issue{Link: broadcast.Link{ID: "1", Name: "Anna"}})
				k.set(tt.spoil)
				s.speak(s.sign(token.Host, "Hanna"))
				began := time.Now()
				s.do(broadcast.GoLive{New: "b", Title: "B"})
				s.do(broadcast.Revoke{ID: "1"})
				s.do(broadcast.SetHold{On: true})
				s.do(broadcast.SetHold{})
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("four deeds took %v", took)
				}
				time.Sleep(8 * time.Second)
				if s.hears() != "live" || s.phase() != broadcast.Live || !s.show.Revoked("1") {
					t.Errorf("%s, the audience hears the %s", s.phase(), s.hears())
				}
				if since := s.show.Trouble(); since.IsZero() || time.Since(since) < 7*time.Second {
					t.Errorf("trouble since %v", since)
				}
				if v := gauge(t, s.registry, "longwave_broadcast_store_failing_seconds"); v < 7 {
					t.Errorf("the metric says %v s", v)
				}
				k.set(func(m *memory) { m.fail, m.after, m.hang = nil, nil, false })
				time.Sleep(12 * time.Second)
				if since := s.show.Trouble(); !since.IsZero() {
					t.Errorf("still trouble, since %v", since)
				}
				want, _ := s.show.Look()
				if diff := cmp.Diff(want, k.record(t), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("what is kept (-show +kept):\n%s", diff)
				}
				if v := gauge(t, s.registry, "longwave_broadcast_unkept_deeds"); v != 0 {
					t.Errorf("%v deeds are not kept", v)
				}
			})
		})
	}
}

// TestStoreAwayAtStart: a station whose state cannot be read is on air in auto mode,
// overwrites nothing, and is where it was when it can be read.
func TestStoreAwayAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memory{}
		s := play(t, k)
		hanna := s.sign(token.Host, "Hanna")
		s.speak(hanna)
		s.do(broadcast.GoLive{New: "b", Title: "B"})
		s.do(broadcast.Issue{Link: broadcast.Link{ID: "1", Name: "Anna"}})
		synctest.Wait()
		was := bytes.Clone(k.data)

		k = &memory{data: was, fail: errAway}
		s = play(t, k)
		_, err := s.show.Do(t.Context(), broadcast.Issue{Link: broadcast.Link{ID: "2", Name: "Bert"}})
		if err != nil {
			t.Error(err)
		}
		s.speak(s.sign(token.Speaker, "Greta"))
		time.Sleep(3 * time.Second)
		if s.phase() != broadcast.Auto || s.hears() != "live" || !bytes.Equal(k.data, was) {
			t.Errorf("%s, the audience hears the %s, in the store is %s", s.phase(), s.hears(), k.data)
		}
		k.set(func(m *memory) { m.fail = nil })
		time.Sleep(5 * time.Second)
		r, _ := s.show.Look()
		if r.Phase != broadcast.Live || r.Current != "b" || len(r.Links) != 2 || len(r.Places) != 2 {
			t.Errorf("read again: %+v", r)
		}
		if p := s.programme.Desk().Places(); len(p) != 2 || p[1].Name != "Hanna" || !p[1].OnAir {
			t.Errorf("places: %+v", p)
		}
		if diff := cmp.Diff(r, k.record(t), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("what is kept (-show +kept):\n%s", diff)
		}
	})
}

// TestStoreHoldsGarbage: what cannot be read is not overwritten.
func TestStoreHoldsGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memory{data: []byte(`{"phase":7`)}
		s := playFrom(t, k, time.Hour)
		s.do(broadcast.GoLive{New: "b", Title: "B"})
		time.Sleep(time.Minute)
		if string(k.data) != `{"phase":7` || s.phase() != broadcast.Live || s.show.Trouble().IsZero() {
			t.Errorf("%s, trouble since %v, in the store is %s", s.phase(), s.show.Trouble(), k.data)
		}
	})
}

// TestTwoWriters: two processes at one store lose nothing of each other.
func TestTwoWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memory{}
		a, b := playFrom(t, k, time.Hour), playFrom(t, k, time.Hour)
		a.do(broadcast.Issue{Link: broadcast.Link{ID: "1", Name: "Anna"}})
		b.do(broadcast.Issue{Link: broadcast.Link{ID: "2", Name: "Bert"}})
		a.do(broadcast.Revoke{ID: "1"})
		b.do(broadcast.GoLive{New: "b", Title: "B"})
		a.do(broadcast.Issue{Link: broadcast.Link{ID: "3", Name: "Carl"}})
		for name, s := range map[string]*stage{"a": a, "b": b} {
			s.do(broadcast.Revoke{ID: "2"})
			r, _ := s.show.Look()
			if len(r.Links) != 3 || !r.Revoked("1") || !r.Revoked("2") || r.Phase != broadcast.Live {
				t.Errorf("%s knows %+v", name, r)
			}
		}
	})
}

// TestManyUnkept: what cannot be kept for long does not grow without bound.
func TestManyUnkept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memory{}
		s := playFrom(t, k, time.Hour)
		s.do(broadcast.GoLive{New: "b", Title: "B"})
		k.set(func(m *memory) { m.fail = errAway })
		seat, _ := s.speak(s.sign(token.Speaker, "Greta"))
		time.Sleep(time.Second)
		for i := range 2500 {
			s.do(broadcast.SetHold{On: i%2 == 0})
			if err := s.programme.Desk().SetGain(seat, float64(i%10)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if v := gauge(t, s.registry, "longwave_broadcast_unkept_deeds"); v > 1002 {
			t.Errorf("%v deeds wait", v)
		}
		k.set(func(m *memory) { m.fail = nil })
		time.Sleep(20 * time.Second)
		want, _ := s.show.Look()
		if diff := cmp.Diff(want, k.record(t), cmpopts.EquateEmpty()); diff != "" || want.Places[0].GainDB != 9 {
			t.Errorf("what is kept (-show +kept):\n%s", diff)
		}
		began := time.Now()
		if s.do(broadcast.SetHold{On: true}); time.Since(began) > 0 || !k.record(t).Hold {
			t.Errorf("a deed was answered after %v and is kept: %v", time.Since(began), k.record(t).Hold)
		}
	})
}

// TestSlowStore: what is done while the store writes is kept with the next write.
func TestSlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memory{}
		s := playFrom(t, k, time.Hour)
		seat, _ := s.speak(s.sign(token.Speaker, "Greta"))
		k.set(func(m *memory) { m.slow = 300 * time.Millisecond })
		desk := s.programme.Desk()
		for i := range 40 {
			if err := errors.Join(desk.SetGain(seat, float64(i%10)), desk.SetMute(seat, i%3 == 0)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(70 * time.Millisecond)
		}
		began := time.Now()
		s.do(broadcast.GoLive{New: "b", Title: "B"})
		if took := time.Since(began); took < 300*time.Millisecond || took > time.Second {
			t.Errorf("a deed was answered after %v", took)
		}
		want, _ := s.show.Look()
		if diff := cmp.Diff(want, k.record(t), cmpopts.EquateEmpty()); diff != "" || want.Places[0].GainDB != 9 {
			t.Errorf("what is kept (-show +kept):\n%s", diff)
		}
		if k.writes > 20 {
			t.Errorf("%d writes for 40 changes", k.writes)
		}
	})
}

// TestGoodbye: what was done last is kept when the show ends, and an end that cannot keep
// it takes no longer than two seconds.
func TestGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memory{}
		s := playFrom(t, k, time.Hour)
		k.set(func(m *memory) { m.fail = errAway })
		s.do(broadcast.GoLive{New: "b", Title: "B"})
		time.Sleep(time.Minute)
		k.set(func(m *memory) { m.fail = nil })
		s.stop()
		if r := k.record(t); r.Phase != broadcast.Live {
			t.Errorf("kept: %+v", r)
		}
		k.set(func(m *memory) { m.hang = true })
		s = playFrom(t, k, time.Hour)
		began := time.Now()
		if s.stop(); time.Since(began) > 2*time.Second {
			t.Errorf("the end took %v", time.Since(began))
		}
	})
}

// TestMetrics: what is counted can be told apart.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := playFrom(t, &memory{}, time.Hour)
		s.do(broadcast.Announce{Broadcast: broadcast.Broadcast{ID: "b", Title: "B", Start: time.Now().Add(time.Minute)}})
		time.Sleep(3 * time.Minute)
		s.do(broadcast.GoLive{Broadcast: "b"})
		s.stop()
		want := `
# HELP longwave_broadcast_late_seconds By how much the current broadcast is late, or was when it went live.
# TYPE longwave_broadcast_late_seconds gauge
longwave_broadcast_late_seconds 120
# HELP longwave_broadcast_phase 1 for the phase in which the station is.
# TYPE longwave_broadcast_phase gauge
longwave_broadcast_phase{phase="auto"} 0
longwave_broadcast_phase{phase="doors"} 0
longwave_broadcast_phase{phase="ended"} 0
longwave_broadcast_phase{phase="live"} 1
longwave_broadcast_phase{phase="scheduled"} 0
`
		if err := testutil.GatherAndCompare(s.registry, strings.NewReader(want), "longwave_broadcast_late_seconds", "longwave_broadcast_phase"); err != nil {
			t.Error(err)
		}
		if problems, err := testutil.GatherAndLint(s.registry); err != nil || len(problems) > 0 {
			t.Errorf("%v %v", problems, err)
		}
	})
}
