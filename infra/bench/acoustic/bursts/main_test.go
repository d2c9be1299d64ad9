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
