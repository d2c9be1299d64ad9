package studio_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"longwave/ingest/mix"
	"longwave/ingest/studio"
	"longwave/ingest/token"
)

// lanes returns the lanes of the last levels.
func (l *listener) lanes() map[string]map[string]any {
	l.r.t.Helper()
	all := l.named("levels")
	if len(all) == 0 {
		l.r.t.Fatal("no levels came")
	}
	var v struct{ Lanes map[string]map[string]any }
	if err := json.Unmarshal(all[len(all)-1].data, &v); err != nil {
		l.r.t.Fatal(err)
	}
	return v.Lanes
}

// kinds returns the kinds of the news so far, and the last one's id.
func (l *listener) kinds() (kinds []string, last string) {
	l.r.t.Helper()
	for _, e := range l.named("news") {
		var v struct{ Kind string }
		if err := json.Unmarshal(e.data, &v); err != nil {
			l.r.t.Fatal(err)
		}
		kinds, last = append(kinds, v.Kind), e.id
	}
	return kinds, last
}

// TestPace: states come at once and at most ten times a second, levels ten times, and a
// stream outlives the server's time-outs.
func TestPace(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		guest := r.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		r.speak(guest, 0.2)
		l := r.listen(r.host, "")
		if n := len(l.named("state")); n != 1 {
			t.Errorf("%d states at once", n)
		}
		time.Sleep(time.Second)
		began, before := time.Now(), len(l.named("state"))
		for i := range 200 {
			if err := r.programme.Desk().SetGain(r.seat(guest), float64(i%10)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond)
		states := l.named("state")[before:]
		if n := len(states); n < 15 || n > 22 {
			t.Errorf("%d states in two seconds", n)
		}
		if first := states[0].at.Sub(began); first > 10*time.Millisecond {
			t.Errorf("the first state came after %v", first)
		}
		for i := 1; i < len(states); i++ {
			if apart := states[i].at.Sub(states[i-1].at); apart < 100*time.Millisecond {
				t.Errorf("two states %v apart", apart)
			}
		}
		speakers := l.state()["speakers"].([]any)
		if got := speakers[0].(map[string]any)["gain_db"]; got != 9.0 {
			t.Errorf("the last state says %v dB", got)
		}
		time.Sleep(40 * time.Second)
		if n := len(l.named("levels")); n < 420 || n > 440 {
			t.Errorf("%d levels in 43 s", n)
		}
		l.check()
		if l.header.Get("Content-Type") != "text/event-stream" || l.header.Get("Cache-Control") != "no-store" {
			t.Errorf("header: %v", l.header)
		}
	})
}

// TestLevels: a host sees everybody's level, a speaker their own, and the mute does not
// hide what comes from a microphone.
func TestLevels(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		greta, gustav := r.sign(token.Token{Role: token.Speaker, Name: "Greta"}), r.sign(token.Token{Role: token.Speaker, Name: "Gustav", Expires: time.Now().Add(time.Hour)})
		r.speak(greta, 0.1)
		stop := r.speak(gustav, 0.2)
		host, speaker := r.listen(r.host, ""), r.listen(greta, "")
		time.Sleep(3 * time.Second)
		all, own := host.lanes(), speaker.lanes()
		for name, v := range map[string]map[string]any{"a host sees Greta": all[r.seat(greta)], "a host sees Gustav": all[r.seat(gustav)], "Greta sees herself": own[r.seat(greta)]} {
			if peak, ok := v["peak"].(float64); !ok || peak > 0 || peak < -40 || v["fill"] != "heard" {
				t.Errorf("%s: %v", name, v)
			}
		}
		if v := own[r.seat(gustav)]; len(v) != 1 {
			t.Errorf("Greta sees of Gustav: %v", v)
		}
		stop()
		time.Sleep(4 * time.Second)
		if _, ok := host.lanes()[r.seat(gustav)]; ok {
			t.Error("Gustav has left and is in the levels")
		}
		host.check()
		speaker.check()
	})
}

// TestNews: what happens is told once and in order, and a stream that broke off goes on
// after what it had.
func TestNews(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		guest := r.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		l := r.listen(r.host, "")
		r.speak(r.host, 0.2)
		r.speak(guest, 0.2)
		time.Sleep(time.Second)
		r.must(200, "POST", "/live", `{"title":"T"}`)
		synctest.Wait()
		kinds, last := l.kinds()
		if diff := cmp.Diff([]string{"came", "came", "live", "on_air"}, kinds); diff != "" {
			t.Errorf("told:\n%s", diff)
		}
		l.close()
		r.must(200, "PATCH", "/speakers/"+r.seat(guest), `{"on_air":true}`)
		r.must(200, "PUT", "/hold", `{"on":true}`)
		again := r.listen(r.host, last)
		r.must(200, "POST", "/end", "")
		r.must(204, "DELETE", "/speakers/"+r.seat(guest), "")
		synctest.Wait()
		kinds, _ = again.kinds()
		if diff := cmp.Diff([]string{"on_air", "hold", "end", "removed"}, kinds); diff != "" {
			t.Errorf("told after the break:\n%s", diff)
		}
		fresh := r.listen(r.host, "")
		if kinds, _ := fresh.kinds(); len(kinds) > 0 {
			t.Errorf("a new stream begins with %v", kinds)
		}
		odd := r.listen(r.host, "x-1")
		if kinds, _ := odd.kinds(); len(kinds) > 0 {
			t.Errorf("after an odd id: %v", kinds)
		}
		again.check()
	})
}

// TestChangeWhileMeasuring: what changes while the station takes its levels is told.
func TestChangeWhileMeasuring(t *testing.T) {
	var do atomic.Pointer[func()]
	in(t, func(t *testing.T, r *room) {
		guest := r.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		r.speak(guest, 0.2)
		r.speak(r.host, 0.2)
		l := r.listen(r.host, "")
		time.Sleep(3 * time.Second)
		for _, to := range []string{`"` + r.seat(guest) + `"`, ""} {
			talk := func() { r.must(http.StatusOK, "PUT", "/talkback", `{"seats":[`+to+`]}`) }
			do.Store(&talk)
			time.Sleep(400 * time.Millisecond)
			if got := l.state()["talkback"].([]any); len(got) > 0 != (to != "") {
				t.Errorf("the host speaks to [%s] and is told %v", to, got)
			}
		}
	}, func(o *studio.Options) {
		meters := o.Stations[0].Meters
		o.Stations[0].Meters = func() mix.Snapshot {
			if f := do.Swap(nil); f != nil {
				(*f)()
			}
			return meters()
		}
	})
}

// TestSlowReader: whoever does not read is dropped after five seconds, and nobody waits
// for them.
func TestSlowReader(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		slow := r.openStream(r.host, "") // and nothing is read
		l := r.listen(r.host, "")
		began := time.Now()
		for range 20 {
			asked := time.Now()
			r.must(200, "GET", "", "")
			if took := time.Since(asked); took > 0 {
				t.Errorf("a request took %v", took)
			}
			time.Sleep(500 * time.Millisecond)
		}
		if n, want := len(l.named("levels")), int(time.Since(began)/(100*time.Millisecond)); n < want-2 {
			t.Errorf("%d levels beside a slow reader, want %d", n, want)
		}
		if got := metric(t, r, `longwave_studio_streams_ended_total{reason="slow"}`); got != 1 {
			t.Errorf("%v slow readers were counted", got)
		}
		if got := metric(t, r, "longwave_studio_streams"); got != 1 {
			t.Errorf("%v streams are open", got)
		}
		slow.stop()
	})
}

// metric returns a value of the room's registry, by its name and labels.
func metric(t *testing.T, r *room, name string) float64 {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			id := f.GetName()
			for _, l := range m.GetLabel() {
				id += fmt.Sprintf("{%s=%q}", l.GetName(), l.GetValue())
			}
			if id == name {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

// TestStreamBounds: of one token the oldest stream goes, and in all there are so many.
func TestStreamBounds(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		var mine []*listener
		for range 3 {
			mine = append(mine, r.listen(r.host, ""))
		}
		if why := mine[0].bye(); why != "replaced" {
			t.Errorf("the oldest of three: %q", why)
		}
		guest := r.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		third := r.listen(guest, "")
		if third.status != 200 {
			t.Errorf("the third of three: %d", third.status)
		}
		a := r.ask("GET", "/api/v1/stations/talk/events", r.sign(token.Token{Role: token.Speaker, Name: "Gustav"}), "")
		if kind, _ := a.problem(t); a.status != 503 || kind != "busy" || a.header.Get("Retry-After") == "" {
			t.Errorf("the fourth of three: %d %s", a.status, a.body)
		}
		third.close()
		if l := r.listen(r.sign(token.Token{Role: token.Speaker, Name: "Gustav"}), ""); l.status != 200 {
			t.Errorf("after one left: %d", l.status)
		}
		for _, l := range mine[1:] {
			if len(l.named("bye")) > 0 {
				t.Errorf("a stream was closed: %s", l.named("bye")[0].data)
			}
		}
	}, func(o *studio.Options) { o.Streams, o.StreamsEach = 3, 2 })
}

// TestStreamFlood: streams that one token opens and does not read are bounded while they
// are being closed, too.
func TestStreamFlood(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		busy := 0
		for range 20 {
			l := r.openStream(r.host, "") // and nothing is read
			if l.status == http.StatusServiceUnavailable {
				busy++
			}
		}
		if n := metric(t, r, "longwave_studio_streams"); n > 6 || busy < 14 {
			t.Errorf("%v streams are open, %d were refused", n, busy)
		}
	}, func(o *studio.Options) { o.Streams, o.StreamsEach = 3, 2 })
}

// TestTalkback: a host who speaks to the guests is not heard by the audience, and is
// again when their last event stream is closed.
func TestTalkback(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		guest, late := r.sign(token.Token{Role: token.Speaker, Name: "Greta"}), r.sign(token.Token{Role: token.Speaker, Name: "Gustav"})
		r.speak(r.host, 0.2)
		r.must(200, "POST", "/live", `{"title":"T"}`)
		one, two := r.listen(r.host, ""), r.listen(r.host, "")
		hears := func(want string) {
			t.Helper()
			time.Sleep(2 * time.Second)
			if got := r.programme.Meters().OnAir; got != want {
				t.Errorf("the audience hears %s, want %s", got, want)
			}
		}
		talks := func(want ...any) {
			t.Helper()
			time.Sleep(200 * time.Millisecond)
			if diff := cmp.Diff(append([]any{}, want...), two.state()["talkback"]); diff != "" {
				t.Errorf("talkback:\n%s", diff)
			}
		}
		hears("live")
		r.must(200, "PUT", "/talkback", `{"all":true}`) // nobody else is there
		hears("hold")
		talks()
		r.speak(guest, 0.2)
		talks(r.seat(guest))
		r.speak(late, 0.2)
		talks(r.seat(guest), r.seat(late))
		hears("hold")
		r.must(204, "DELETE", "/speakers/"+r.seat(guest), "")
		r.must(204, "DELETE", "/speakers/"+r.seat(late), "")
		talks()
		hears("hold")
		one.close()
		hears("hold")
		two.close()
		hears("live")
		if s := r.must(200, "GET", "", ""); len(s["talkback"].([]any)) > 0 {
			t.Errorf("talkback: %v", s["talkback"])
		}
		r.speak(guest, 0.2)
		r.must(409, "PUT", "/talkback", `{"seats":["`+r.seat(guest)+`"]}`)
		r.must(200, "PUT", "/cue", `{"seats":["`+r.seat(guest)+`"]}`)
		two = r.listen(r.host, "")
		r.must(200, "PUT", "/talkback", `{"seats":["`+r.seat(guest)+`"]}`)
		talks(r.seat(guest))
		hears("hold")
		r.must(200, "PUT", "/talkback", `{"seats":[]}`)
		talks()
		hears("live")
		if diff := cmp.Diff([]any{r.seat(guest)}, two.state()["cue"]); diff != "" {
			t.Errorf("cue:\n%s", diff)
		}
	})
}

// alarmsOf returns "kind level seat" of the alarms in a snapshot.
func alarmsOf(s map[string]any) []string {
	kinds := []string{}
	for _, a := range s["alarms"].([]any) {
		v := a.(map[string]any)
		kinds = append(kinds, strings.TrimSpace(fmt.Sprint(v["kind"], " ", v["level"], " ", v["seat"])))
	}
	return kinds
}

// TestAlarms: what a host should know is told when it begins and goes when it is over;
// whoever only listens is no alarm.
func TestAlarms(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		host, guest := r.listen(r.host, ""), r.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		speaker := r.listen(guest, "")
		want := func(of *listener, wants ...string) {
			t.Helper()
			if diff := cmp.Diff(append([]string{}, wants...), alarmsOf(of.state())); diff != "" {
				t.Errorf("alarms:\n%s", diff)
			}
		}
		stop := r.speak(guest, 0) // a microphone that is none
		seat := r.seat(guest)
		time.Sleep(4 * time.Second)
		want(host)
		time.Sleep(4 * time.Second)
		want(host, "dead_air warn")
		time.Sleep(5 * time.Second)
		want(host, "dead_air warn", "speaker_silent warn "+seat)
		want(speaker, "dead_air warn", "speaker_silent warn "+seat)
		since := host.state()["alarms"].([]any)[0].(map[string]any)["since"]
		time.Sleep(5 * time.Second)
		want(host, "dead_air alarm", "speaker_silent warn "+seat)
		if got := host.state()["alarms"].([]any)[0].(map[string]any)["since"]; got != since {
			t.Errorf("dead air since %v, and before since %v", got, since)
		}
		r.must(200, "PATCH", "/speakers/"+seat, `{"muted":true}`)
		time.Sleep(2 * time.Second)
		want(host)
		stop()
		time.Sleep(4 * time.Second)

		// Who was heard once and listens now is no alarm.
		r.must(200, "POST", "/live", `{"title":"T"}`)
		calm := r.sign(token.Token{Role: token.Speaker, Name: "Carl"})
		stop = r.speak(calm, 0.2)
		time.Sleep(2 * time.Second)
		r.louder(calm, 0)
		time.Sleep(14 * time.Second)
		want(host)

		// From whom nothing arrives any more, although they are on air, is one.
		r.must(200, "PATCH", "/speakers/"+r.seat(calm), `{"on_air":true}`)
		r.louder(calm, -1)
		time.Sleep(6 * time.Second)
		if got := alarmsOf(host.state()); !slices.Contains(got, "speaker_silent alarm "+r.seat(calm)) {
			t.Errorf("nothing arrives from Carl: %v", got)
		}
		stop()
		time.Sleep(6 * time.Second)
		want(host)

		r.keeper.setFail(errors.New("the store is away"))
		r.must(200, "PUT", "/hold", `{"on":true}`)
		time.Sleep(2 * time.Second)
		want(host, "store warn")
		want(speaker)
		time.Sleep(time.Minute)
		want(host, "store alarm")
		r.keeper.setFail(nil)
		r.setAlarms(studio.Alarm{Kind: studio.AlarmEdge, Grade: studio.GradeWarn, Text: "One of two edges does not answer."})
		time.Sleep(20 * time.Second)
		want(host, "edge warn")
		want(speaker)
		host.check()
		r.leave()
		for text, n := range map[string]int{
			`"WARN","msg":"a speaker is not heard",`: 2, `"INFO","msg":"a speaker is not heard: that is over",`: 2,
			`"text":"No sound has come from Greta yet: is it the right microphone?"`: 2, `"text":"Nothing arrives from Carl any more."`: 2,
		} {
			if got := strings.Count(r.logged.String(), text); got != n {
				t.Errorf("%d times in the log, want %d: %s", got, n, text)
			}
		}
	})
}

// TestMetrics: what is counted keeps the rules, and nobody can make up a label.
func TestMetrics(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		r.must(200, "GET", "", "")
		r.ask("GET", "/api/v1/stations/talk", "hackme", "")
		for i := range 20 {
			r.ask("GET", fmt.Sprintf("/api/v1/stations/x%d/nothing%d", i, i), r.host, "")
			r.ask("GET", fmt.Sprintf("/api/v1/stations/x%d", i), r.host, "")
			r.ask("DELETE", fmt.Sprintf("/api/v1/stations/x%d/speakers/%d", i, i), "", "")
		}
		if problems, err := testutil.GatherAndLint(r.registry); err != nil || len(problems) > 0 {
			t.Errorf("%v %v", problems, err)
		}
		if n, err := testutil.GatherAndCount(r.registry, "longwave_studio_requests_total"); err != nil || n > 6 {
			t.Errorf("%d series, %v", n, err)
		}
	})
}
