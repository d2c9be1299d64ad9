package ingest_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/ingest/token"
)

var raw = decode.Format{Codec: decode.F32LE, Rate: pcm.Rate, Channels: pcm.Channels}

// A desk is a gate with one programme, in fake time.
type desk struct {
	t         *testing.T
	signer    *token.Signer
	gate      *ingest.Gate
	programme *ingest.Programme
	clock     pcm.Clock
	marks     []pcm.Mark
}

func newDesk(t *testing.T, speakers int) *desk {
	t.Helper()
	s, err := token.NewSigner([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, signer: s, clock: pcm.NewClock(time.Now())}
	log := slog.New(slog.DiscardHandler)
	d.programme = ingest.NewProgramme(ingest.ProgrammeOptions{Station: "talk", Clock: d.clock, Start: d.clock.Now().Ceil(92_160), Log: log})
	d.gate = ingest.NewGate(ingest.GateOptions{
		Tokens: s, Speakers: speakers, Log: log, Revoked: func(id string) bool { return id == revokedID },
	}, d.programme)
	return d
}

var revokedID string

func (d *desk) claim(name string) ingest.Claim {
	d.t.Helper()
	text, err := d.signer.Sign(token.Token{Station: "talk", Role: token.Speaker, Name: name})
	if err != nil {
		d.t.Fatal(err)
	}
	return ingest.Claim{Station: "talk", Token: text, Transport: "stdin"}
}

func (d *desk) open(c ingest.Claim) *ingest.Lane {
	d.t.Helper()
	l, err := d.gate.Open(d.t.Context(), c, raw)
	if err != nil {
		d.t.Fatal(err)
	}
	return l
}

// onAir takes a speaker on air.
func (d *desk) onAir(name string) {
	d.t.Helper()
	if err := d.programme.Desk().SetOnAir(d.seat(name), true); err != nil {
		d.t.Fatal(err)
	}
}

// seat returns the seat of a speaker.
func (d *desk) seat(name string) string {
	d.t.Helper()
	for _, s := range d.programme.Desk().Speakers() {
		if s.Name == name {
			return s.Seat
		}
	}
	d.t.Fatalf("%s is not there", name)
	return ""
}

// hear plays the programme for a while and returns it.
func (d *desk) hear(lasts time.Duration) []float32 {
	d.t.Helper()
	var out []float32
	for n := int(lasts / pcm.FrameDuration); n > 0; n-- {
		f, err := d.programme.Next(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		out = append(out, f.Samples...)
		d.marks = append(d.marks, f.Marks...)
	}
	return out
}

// say pushes a tone in step with time, in its own goroutine, until it lasted or the
// lane is closed; it returns what Push returned.
func say(l *ingest.Lane, hz float64, lasts time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		began := time.Now()
		sound := pcmtest.Bytes(pcmtest.Tone{Hz: hz, Amp: 0.2}.Make(int(pcm.Samples(lasts))))
		const chunk = 4 * pcm.FrameLen
		for i := 0; len(sound) > 0; i++ {
			n := min(chunk, len(sound))
			if err := l.Push(ingest.Packet{Data: sound[:n], Arrival: time.Now()}); err != nil {
				done <- err
				return
			}
			sound = sound[n:]
			time.Sleep(time.Until(began.Add(time.Duration(i+1) * pcm.FrameDuration)))
		}
		done <- l.Close()
	}()
	return done
}

func TestCheck(t *testing.T) {
	d := newDesk(t, 0)
	now := time.Now()
	sign := func(tok token.Token) string {
		text, err := d.signer.Sign(tok)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	revoked := sign(token.Token{Station: "talk", Role: token.Speaker})
	parsed, err := d.signer.Parse(revoked, now)
	if err != nil {
		t.Fatal(err)
	}
	revokedID = parsed.ID
	for _, c := range []struct {
		what, token, station string
		want                 error
	}{
		{"a good one", sign(token.Token{Station: "talk", Role: token.Speaker}), "talk", nil},
		{"a host's", sign(token.Token{Station: "talk", Role: token.Host}), "talk", nil},
		{"none", "", "talk", ingest.ErrUnauthorized},
		{"garbage", "hackme", "talk", ingest.ErrUnauthorized},
		{"expired", sign(token.Token{Station: "talk", Role: token.Speaker, Expires: now.Add(-time.Hour)}), "talk", ingest.ErrForbidden},
		{"revoked", revoked, "talk", ingest.ErrForbidden},
		{"another role's", sign(token.Token{Station: "talk", Role: token.Captioner}), "talk", ingest.ErrForbidden},
		{"another station's", sign(token.Token{Station: "news", Role: token.Speaker}), "talk", ingest.ErrForbidden},
		{"for a station that is not", sign(token.Token{Station: "news", Role: token.Speaker}), "news", ingest.ErrForbidden},
	} {
		_, err := d.gate.Check(ingest.Claim{Station: c.station, Token: c.token})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
		if err != nil && !errors.Is(err, ingest.ErrRefused) {
			t.Errorf("%s: %v is not final", c.what, err)
		}
		if err != nil && c.token != "" && strings.Contains(err.Error(), c.token) {
			t.Errorf("%s: the token is in the error", c.what)
		}
		if _, openErr := d.gate.Open(t.Context(), ingest.Claim{Station: c.station, Token: c.token}, raw); (openErr == nil) != (err == nil) {
			t.Errorf("%s: Check says %v, Open says %v", c.what, err, openErr)
		}
	}
}

// TestProgrammeIsOnTime: frames come when they are due, all of them, and a caller
// that was late gets those that it missed at once.
func TestProgrammeIsOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		var next pcm.Pos
		for range 500 {
			f, err := d.programme.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if next != 0 && f.Pos != next {
				t.Fatalf("frame at %d after one that ended at %d", f.Pos, next)
			}
			next = f.End()
			if late := d.clock.Now() - next; late < 0 || late > 1 {
				t.Fatalf("a frame came %d samples after its end", late)
			}
		}
		time.Sleep(time.Second)
		before := time.Now()
		d.hear(time.Second)
		if waited := time.Since(before); waited > pcm.FrameDuration { // in which who brings sound goes first
			t.Errorf("frames that were due took %v", waited)
		}
	})
}

func TestSpeakersAreSummedAndMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		if d.hear(time.Second); len(d.marks) != 1 || d.marks[0].Text != pcm.OnAirHold {
			t.Errorf("at the start: %+v", d.marks)
		}
		a, b := d.open(d.claim("Anna")), d.open(d.claim("Bert"))
		d.onAir("Bert")
		a.Title("Two voices")
		endA, endB := say(a, 500, 2*time.Second), say(b, 1500, 2*time.Second)
		both := d.hear(time.Second)[pcm.Rate:] // the second half
		for _, hz := range []float64{500, 1500} {
			if got := pcmtest.Goertzel(both, 0, hz); got < 0.19 || got > 0.21 {
				t.Errorf("%.0f Hz is in the programme with amplitude %.3f, want 0.2", hz, got)
			}
		}
		d.hear(3 * time.Second)
		if err := errors.Join(<-endA, <-endB); err != nil {
			t.Error(err)
		}
		said := map[pcm.MarkKind][]string{}
		for _, m := range d.marks {
			said[m.Kind] = append(said[m.Kind], m.Text)
		}
		want := map[pcm.MarkKind][]string{pcm.MarkState: {"hold", "live", "hold"}, pcm.MarkTitle: {"Two voices"}}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("marks: %s", diff)
		}
	})
}

// TestTakeover: the same token again takes the seat over; the connection before is
// told so and its sound does not stop before the new one begins.
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 1)
		c := d.claim("Anna")
		c.Transport = "icecast" // with 1.5 s ahead, as the network has it
		old := d.open(c)
		endOld := say(old, 500, time.Minute)
		d.hear(3 * time.Second)
		if _, err := d.gate.Open(t.Context(), d.claim("Bert"), raw); !errors.Is(err, ingest.ErrBusy) {
			t.Errorf("a second speaker at a table for one: %v", err)
		}
		fresh := d.open(c)
		endFresh := say(fresh, 500, 4*time.Second)
		sound := d.hear(3 * time.Second)
		if err := <-endOld; !errors.Is(err, ingest.ErrClosed) {
			t.Errorf("the connection before got %v", err)
		}
		if gaps := pcmtest.Gaps(sound, 0.01, 960); len(gaps) > 0 {
			t.Errorf("silence at the takeover: %+v", gaps)
		}
		d.hear(4 * time.Second)
		if err := <-endFresh; err != nil {
			t.Error(err)
		}
		d.hear(time.Second) // the seat is free again
		l := d.open(d.claim("Bert"))
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestClose: what lanes hold is played, then the programme is over; nobody is let in.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		l := d.open(d.claim("Anna"))
		end := say(l, 500, time.Minute)
		d.hear(time.Second)
		d.gate.Close()
		if _, err := d.gate.Open(t.Context(), d.claim("Bert"), raw); !errors.Is(err, ingest.ErrClosed) {
			t.Errorf("after the close: %v", err)
		}
		began := time.Now()
		for {
			if _, err := d.programme.Next(t.Context()); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("the programme went on for %v", took)
		}
		if err := <-end; !errors.Is(err, ingest.ErrClosed) {
			t.Errorf("the speaker got %v", err)
		}
	})
}

// TestCancel: a caller that gives up gets the reason.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("power cut")
		cancel(why)
		if _, err := d.programme.Next(ctx); !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
	})
}

// TestNextAllocatesNothing: it is called every 20 ms for as long as a station is.
func TestNextAllocatesNothing(t *testing.T) {
	d := newDesk(t, 0)
	start := d.clock.Now().Ceil(92_160)
	p := ingest.NewProgramme(ingest.ProgrammeOptions{Station: "talk", Clock: d.clock, Start: start - 200*pcm.Rate, Log: slog.New(slog.DiscardHandler)})
	next := func() {
		if _, err := p.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	next()
	if n := testing.AllocsPerRun(1000, next); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
