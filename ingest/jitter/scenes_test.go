package jitter

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"longwave/ingest/pcm"
)

const ms = pcm.Rate / 1000

// A sent is a packet as it is on the wire, and when it comes.
type sent struct {
	seq   uint16
	stamp uint32
	at    int64
	dur   int
	pause bool
}

// speech is n packets of 20 ms from the i-th on, with the given delay.
func speech(i, n int, delay int64) (out []sent) {
	for k := i; k < i+n; k++ {
		out = append(out, sent{seq: uint16(k), stamp: uint32(k * 960), at: int64(k*960) + delay, dur: 960})
	}
	return out
}

// scene plays packets until all have been heard, for frames more at the least.
func (s *stepped) scene(in []sent, more int) (results map[packetResult]int) {
	results = map[packetResult]int{}
	slices.SortStableFunc(in, func(a, b sent) int { return cmp.Compare(a.at, b.at) })
	for len(in) > 0 || more >= 0 {
		for len(in) > 0 && in[0].at <= s.at() {
			x := in[0]
			results[s.put(&Packet{Seq: x.seq, Timestamp: x.stamp}, format{frame: x.dur, dur: x.dur, pause: x.pause}, x.at)]++
			in = in[1:]
		}
		if len(in) == 0 {
			more--
		}
		n := len(s.fills)
		if _, ok := s.pull(); !ok || len(s.fills) == n {
			s.fills = append(s.fills, opSilence)
		}
	}
	return results
}

// count returns how many of the frames from the i-th on were made so.
func (s *stepped) frames(i int, kind opKind) (n int) {
	for _, f := range s.fills[min(i, len(s.fills)):] {
		if f == kind {
			n++
		}
	}
	return n
}

func (s *stepped) want(t *testing.T, what string, got, least, most float64) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("%s %v, want %v to %v (%+v, %+v)", what, got, least, most, s.count, s.sum)
	}
}

// TestBeginning has a browser's: one packet, 18 that are lost, and then all.
func TestBeginning(t *testing.T) {
	s := newStepped()
	s.scene(append(speech(0, 1, 0), speech(19, 50, 0)...), 0)
	first := slices.Index(s.fills, opPacket)
	s.want(t, "first frame with sound", float64(first), 19+3, 19+5)
	s.want(t, "concealed frames", float64(s.frames(0, opConceal)), 0, 0)
	s.want(t, "delay", s.pace.delay, 0.079, 0.081)
	s.want(t, "lost", float64(s.count.Lost), 0, 0)
}

func TestBeginningThatNeverIsUnbroken(t *testing.T) {
	s := newStepped()
	var in []sent
	for i := range 50 {
		in = append(in, speech(2*i, 1, 0)...)
	}
	s.scene(in, 0)
	first := slices.Index(s.fills, opPacket)
	s.want(t, "first frame with sound", float64(first), 50, 58)
}

// TestPauses has a sender who says nothing but that, five times for three seconds a
// minute: the pauses are as long as they were, whatever was lost.
func TestPauses(t *testing.T) {
	var in []sent
	seq := 0
	for i := range 10 * 60 * 50 {
		pause := i%600 >= 450
		if !pause || i%20 == 10 {
			in = append(in, sent{seq: uint16(seq), stamp: uint32(i * 960), at: int64(i*960) + int64(i%7)*ms, dur: 960, pause: pause})
			seq++
		}
	}
	s := newStepped()
	s.scene(in, 0)
	s.want(t, "lost", float64(s.count.Lost), 0, 0)
	s.want(t, "late", float64(s.sum.dropped), 0, 0)
	s.want(t, "put to another time", float64(s.count.Reanchored), 0, 0)
	s.want(t, "delay", s.pace.delay, 0.038, 0.048)
	s.want(t, "frames of silence", float64(s.frames(10, opSilence)), 0, 0) // the noise goes on
}

// TestWayBecomesLonger is a route that is 150 ms longer from one packet to the next: the
// late ones are dropped and not heard late.
func TestWayBecomesLonger(t *testing.T) {
	s := newStepped()
	r := s.scene(append(speech(0, 500, 0), speech(500, 500, 150*ms)...), 0)
	s.want(t, "late packets", float64(r[packetLate]), 3, 5)
	s.want(t, "put to another time", float64(s.count.Reanchored), 1, 1)
	made := s.frames(500, opConceal) + s.frames(500, opSilence)
	s.want(t, "frames without sound", float64(made), 7, 18)
	s.want(t, "delay", s.pace.delay, 0.04, 0.09)
}

// TestOutage has everything come at once after a second: it is too late for most of it,
// and nothing is late afterwards.
func TestOutage(t *testing.T) {
	in := speech(0, 1500, 0)
	for i := 500; i < 550; i++ {
		in[i].at = in[549].at
	}
	s := newStepped()
	r := s.scene(in, 0)
	s.want(t, "late packets", float64(r[packetLate]), 45, 49)
	s.want(t, "put to another time", float64(s.count.Reanchored), 0, 0)
	s.want(t, "delay", s.pace.delay, 0.04, 0.12) // for those that were late by less than 400 ms
}

// TestWayBecomesShorter begins in a jam of 400 ms, which goes.
func TestWayBecomesShorter(t *testing.T) {
	s := newStepped()
	s.scene(append(speech(0, 500, 450*ms), speech(500, 2500, 0)...), 0)
	s.want(t, "put to another time", float64(s.count.Reanchored), 1, 1)
	s.want(t, "delay", s.pace.delay, 0.038, 0.06)
	s.want(t, "lost", float64(s.count.Lost), 0, 0)
}

func TestOtherNumbers(t *testing.T) {
	shift := func(in []sent, seq uint16, stamp uint32) []sent {
		for i := range in {
			in[i].seq += seq
			in[i].stamp += stamp
		}
		return in
	}
	for _, tt := range []struct {
		name  string
		seq   uint16
		stamp uint32
		reset bool
		made  float64 // frames that were made up
	}{
		{"the time goes 10 s on", 0, 10 * pcm.Rate, false, 1},
		{"the time goes 10 s back", 0, 1<<32 - 10*pcm.Rate, false, 1},
		{"all begins anew", 12_345, 0x87654321, false, 2},
		{"the numbers begin anew", 30_000, 0, false, 2},
		{"all begins anew, and it is said", 12_345, 0x87654321, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStepped()
			s.scene(speech(0, 500, 0), -1)
			s.line.anew = tt.reset
			s.scene(shift(speech(500, 500, 0), tt.seq, tt.stamp), 0)
			made := s.frames(100, opConceal) + s.frames(100, opSilence)
			s.want(t, "frames without sound", float64(made), 0, tt.made)
			s.want(t, "delay", s.pace.delay, 0.038, 0.082)
		})
	}
}

// TestFrozenTime is a sender whose time stands while they say nothing.
func TestFrozenTime(t *testing.T) {
	in := speech(0, 1000, 0)
	for i := 500; i < 1000; i++ {
		in[i].at += 1500 * ms
	}
	s := newStepped()
	s.scene(in, 0)
	made := s.frames(500, opConceal) + s.frames(500, opSilence)
	s.want(t, "frames without sound", float64(made), 75, 90)
	s.want(t, "delay", s.pace.delay, 0.04, 0.09)
}

func TestStrays(t *testing.T) {
	in := speech(0, 300, 0)
	odd := []sent{
		{seq: 100, stamp: 5 << 28, at: 100 * 960, dur: 960}, // no time of ours
		{seq: 40_000, stamp: 150 * 960, at: 150 * 960, dur: 960},
		{seq: 9_000, stamp: 77, at: 200 * 960, dur: 960},
	}
	twice := speech(50, 10, 5*ms)
	long := speech(80, 10, 400*ms)
	s := newStepped()
	in = slices.Delete(in, 80, 90)
	r := s.scene(slices.Concat(in, odd, twice, long), 0)
	s.want(t, "strays", float64(r[packetStray]), 2, 3)
	s.want(t, "duplicates", float64(r[packetDuplicate]), 10, 11)
	s.want(t, "late", float64(r[packetLate]), 10, 10)
	s.want(t, "lost", float64(s.count.Lost), 10, 10)
}

func TestStall(t *testing.T) {
	s := newStepped()
	s.scene(speech(0, 100, 0), 0)
	at := func(after int64) Phase {
		for s.now < s.last+after {
			s.pull()
		}
		return s.phase(s.now)
	}
	for _, tt := range []struct {
		after int64
		want  Phase
	}{{480 * ms, Playing}, {520 * ms, Stalled}, {2500 * ms, Stalled}} {
		if got := at(tt.after); got != tt.want {
			t.Errorf("%d ms after the last packet it is %v, want %v", tt.after/ms, got, tt.want)
		}
	}
	if s.active {
		t.Error("the time goes on without a sender")
	}
	back := int(s.now / pcm.FrameSamples)
	n := len(s.fills)
	s.scene(speech(back, 100, 0), 0)
	if got := s.phase(s.now); got != Playing {
		t.Fatalf("it is %v when the sender is back", got)
	}
	s.want(t, "frames until they are heard", float64(slices.Index(s.fills[n:], opPacket)), 2, 5)
	s.want(t, "delay", s.pace.delay, 0.038, 0.082)
}

func TestEnd(t *testing.T) {
	for _, n := range []int{0, 1, 2, 10, 100} {
		s := newStepped()
		s.scene(speech(0, n, 0), -1)
		s.ended = true
		for range 20 {
			s.pull()
		}
		if !s.done || s.sum.played != int64(n*960) || s.slots.level != 0 {
			t.Errorf("after %d packets: done %v, %+v", n, s.done, s.sum)
		}
	}
}

// TestFlood is a sender who sends ten times as fast as time passes.
func TestFlood(t *testing.T) {
	in := speech(0, 5000, 0)
	for i := range in {
		in[i].at /= 10
	}
	s := newStepped()
	r := s.scene(in, 0)
	s.want(t, "packets kept", float64(s.slots.level)/960, 0, 512)
	s.want(t, "refused", float64(r[packetExcess]), 1000, 5000)
}

// TestLateFrames has a busy machine: every second six frames are pulled at once.
func TestLateFrames(t *testing.T) {
	s := newStepped()
	s.lag = func(frame int64) int64 { return max(100*ms-frame%50*20*ms, 0) + frame*13%3*ms }
	s.scene(speech(0, 3000, 0), 0)
	s.want(t, "lost", float64(s.count.Lost), 0, 0)
	s.want(t, "delay", s.pace.delay, 0.035, 0.05)
	s.want(t, "put to another time", float64(s.count.Reanchored), 0, 0)
}

// TestDelayFollowsTheNetwork has jitter that comes and goes.
func TestDelayFollowsTheNetwork(t *testing.T) {
	in := speech(0, 6000, 0)
	for i := 1000; i < 2000; i++ {
		in[i].at += int64(i*37%150) * ms
	}
	s := newStepped()
	s.scene(slices.Clone(in[:1900]), 0)
	s.want(t, "delay in jitter of 150 ms", s.pace.delay, 0.13, 0.2)
	lost := s.count.Lost
	s.want(t, "lost", float64(lost), 1, 40)
	s.scene(slices.Clone(in[1900:]), 0)
	s.want(t, "delay afterwards", s.pace.delay, 0.038, 0.06)
	s.want(t, "lost afterwards", float64(s.count.Lost-lost), 0, 3)
}

// TestStandstill has a machine that stands still: what came meanwhile is read when it wakes,
// and the frames that were due are pulled then, one after the other. Nothing was lost on
// the way, and nothing is lost here.
func TestStandstill(t *testing.T) {
	for _, still := range []int64{300 * ms, 900 * ms, 1500 * ms, 3900 * ms} {
		s := newStepped()
		from := int64(500 * pcm.FrameSamples)
		until := from + still
		in := speech(0, 1500, 0)
		for i := range in {
			if in[i].at > from && in[i].at < until {
				in[i].at = until
			}
		}
		s.lag = func(frame int64) int64 {
			if at := frame * pcm.FrameSamples; at > from && at < until {
				return until - at
			}
			return 0
		}
		r := s.scene(in, 0)
		made := s.frames(10, opConceal) + s.frames(10, opSilence)
		what := fmt.Sprintf("%d ms: ", still/ms)
		s.want(t, what+"frames without sound", float64(made), 0, 3)
		s.want(t, what+"packets that were not used", float64(r[packetLate]+r[packetExcess]), 0, 0)
		s.want(t, what+"samples left out", float64(s.sum.skipped+s.sum.dropped), 0, 0)
	}
}
