package main

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// power is the share of a tone in the samples (Goertzel).
func power(samples []float64, hz float64) float64 {
	c := 2 * math.Cos(2*math.Pi*hz/rate)
	var s1, s2, sum float64
	for _, x := range samples {
		s1, s2 = x+c*s1-s2, s1
		sum += x * x
	}
	return (s1*s1 + s2*s2 - c*s1*s2) / (sum * float64(len(samples)) / 2)
}

func TestEachSecondHasItsTone(t *testing.T) {
	const epoch = 1_800_000_000
	for second := range int64(10) {
		burst := make([]float64, burstSamples)
		for i := range burst {
			burst[i] = value((epoch+second)*rate + int64(i))
		}
		if p := power(burst, tones[second%5]); p < 0.9 {
			t.Errorf("second %d: the tone has %.2f of the power", second, p)
		}
	}
	bed := make([]float64, 4800)
	for i := range bed {
		bed[i] = value(epoch*rate + 24_000 + int64(i))
	}
	if p := power(bed, bedHz); p < 0.99 {
		t.Errorf("the bed has %.2f of the power", p)
	}
}

func TestRulerIsPacedByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var out bytes.Buffer
		if err := run(&out, start, 2*time.Second); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("2 s of sound took %v", took)
		}
		if out.Len() != 2*rate*4 {
			t.Errorf("%d bytes, want %d", out.Len(), 2*rate*4)
		}
		first := int16(binary.LittleEndian.Uint16(out.Bytes()[4*100:]))
		if want := int16(math.Round(value(samplesAt(start)+100) * math.MaxInt16)); first != want {
			t.Errorf("sample 100 is %d, want %d", first, want)
		}
	})
}

// A writer whose reader is not there for the first 3 s.
type lateReader struct {
	bytes.Buffer
	waited bool
}

func (l *lateReader) Write(p []byte) (int, error) {
	if !l.waited {
		l.waited = true
		time.Sleep(3 * time.Second)
	}
	return l.Buffer.Write(p)
}

func TestWhatWaitedTooLongIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var out lateReader
		if err := run(&out, start, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		const kept = 2*rate + frameSamples // the first frame, and all from 3 s on
		if n := out.Len() / 4; n < kept-frameSamples || n > kept+frameSamples {
			t.Fatalf("%d samples, want about %d", n, kept)
		}
		second := int16(binary.LittleEndian.Uint16(out.Bytes()[4*(frameSamples+100):]))
		at := samplesAt(start) + 3*rate
		want := func(n int64) int16 { return int16(math.Round(value(n+100) * math.MaxInt16)) }
		if second != want(at) && second != want(at-frameSamples) && second != want(at+frameSamples) {
			t.Errorf("the frame after the wait is not of its time: %d", second)
		}
	})
}
