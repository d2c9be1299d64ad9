package ingest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hraban/opus"

	"longwave/ingest"
	"longwave/ingest/jitter"
	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// A still is when a machine stands still, after a beginning.
type still struct{ from, until time.Time }

// sleep is time.Sleep on that machine.
func (s still) sleep(until time.Time) {
	if until.After(s.from) && until.Before(s.until) {
		until = s.until
	}
	time.Sleep(time.Until(until))
}

// loud returns for how long the programme has sound in a while.
func (d *desk) loud(lasts time.Duration) (heard time.Duration) {
	for range lasts / pcm.FrameDuration {
		if loudness.RMS(d.hear(pcm.FrameDuration)) > 0.01 {
			heard += pcm.FrameDuration
		}
	}
	return heard
}

// TestWakesLate: a machine that stood still and finds all that came meanwhile loses none
// of it, however the sound comes in: what piled up is what its late frames need.
func TestWakesLate(t *testing.T) {
	const lasts = 90 * time.Second
	for _, transport := range []string{"icecast", "rtmp", "srt", "stdin"} {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, 0)
				d.hear(100 * time.Millisecond)
				c := d.claim("Anna")
				c.Transport = transport
				ended := say(d.open(c), tones["Anna"], lasts)
				heard := d.loud(30 * time.Second)
				time.Sleep(30 * time.Second)
				for range (lasts - 30*time.Second + 5*time.Second) / pcm.FrameDuration {
					synctest.Wait() // the sender is fast enough
					heard += d.loud(pcm.FrameDuration)
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if heard < lasts-200*time.Millisecond {
					t.Errorf("%v of %v were heard", heard, lasts)
				}
			})
		})
	}
}

// TestPacketsWakeLate is the same with packets, which nobody holds back: the mixer lets
// their reader go first.
func TestPacketsWakeLate(t *testing.T) {
	const lasts = 30 * time.Second
	for _, stands := range []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond} {
		t.Run(stands.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, 0)
				d.hear(100 * time.Millisecond)
				c := d.claim("Anna")
				c.Transport = "whip"
				l, err := d.gate.OpenPackets(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				machine := still{began.Add(10 * time.Second), began.Add(10*time.Second + stands)}
				go send(t, l, lasts, machine)
				heard := d.loud(10 * time.Second)
				time.Sleep(time.Until(machine.until))
				heard += d.loud(lasts - 10*time.Second + time.Second)
				if heard < lasts-200*time.Millisecond {
					t.Errorf("%v of %v were heard: %+v", heard, lasts, l.State())
				}
			})
		})
	}
}

// send puts a tone's packets as a machine reads them, and closes the lane.
func send(t *testing.T, l *ingest.PacketLane, lasts time.Duration, machine still) {
	defer l.Close()
	enc, err := opus.NewEncoder(pcm.Rate, 1, opus.AppVoIP)
	if err != nil {
		t.Error(err)
		return
	}
	tone := pcmtest.Tone{Hz: tones["Anna"], Amp: 0.2}.Make(int(pcm.Samples(lasts)))
	began, buf := time.Now(), make([]byte, 1500)
	var mono [pcm.FrameSamples]float32
	for i := range int(lasts / pcm.FrameDuration) {
		for k := range mono {
			mono[k] = tone[(i*pcm.FrameSamples+k)*pcm.Channels]
		}
		n, err := enc.EncodeFloat32(mono[:], buf)
		if err != nil {
			t.Error(err)
			return
		}
		machine.sleep(began.Add(time.Duration(i) * pcm.FrameDuration))
		l.Put(jitter.Packet{Seq: uint16(i), Timestamp: uint32(i * pcm.FrameSamples), Payload: append([]byte(nil), buf[:n]...), Arrival: time.Now()})
	}
}
