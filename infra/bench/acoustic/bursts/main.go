// Command bursts writes the acoustic ruler to standard output: s16le, 48 kHz,
// stereo, paced by the wall clock. A 440 Hz bed is replaced for 60 ms at each
// whole second of the wall clock by a tone whose frequency tells the second
// modulo 5. Who hears a tone knows when it was made, to a millisecond and up to
// 5 s back, if both clocks are one.
//
//	bursts | ffmpeg -f s16le -ar 48000 -ac 2 -i - … 	(until killed)
//	bursts -seconds 70                               	(then it ends)
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	rate         = 48_000
	frameSamples = 960 // 20 ms
	burstSamples = rate * 60 / 1000
	edgeSamples  = rate * 1 / 1000 // fade of a burst, so that it does not click
	bedHz        = 440
	bedLevel     = 0.25
	burstLevel   = 0.7
)

// Tones are the frequencies of a burst by second modulo 5, in hertz. meter.mjs
// has the same. None is a harmonic of the bed.
var tones = [5]float64{2000, 2600, 3400, 4400, 5800}

// value is the sample at n samples since the Unix epoch, in [-1, 1].
func value(n int64) float64 {
	into := n % rate
	if into >= burstSamples {
		return bedLevel * wave(bedHz, into)
	}
	fade := 1.0
	if d := min(into, burstSamples-1-into); d < edgeSamples {
		fade = float64(d+1) / edgeSamples
	}
	return burstLevel * fade * wave(tones[n/rate%int64(len(tones))], into)
}

// wave is a sine of whole hertz: its phase is 0 at each whole second, so it may
// be told from the sample's place in the second.
func wave(hz float64, into int64) float64 {
	return math.Sin(2 * math.Pi * hz * float64(into) / rate)
}

// frame fills dst with the frame that begins at n: little-endian, left, right.
func frame(dst []byte, n int64) {
	for i := range int64(len(dst) / 4) {
		v := uint16(int16(math.Round(value(n+i) * math.MaxInt16)))
		binary.LittleEndian.PutUint16(dst[4*i:], v)
		binary.LittleEndian.PutUint16(dst[4*i+2:], v)
	}
}

// How long a write may take. One that takes longer had no reader: what fell due
// meanwhile is left out, because a ruler that starts late stays late. A reader
// that has once taken a second of sound in time may be busy for longer.
const (
	blockedAtStart = 50 * time.Millisecond
	blocked        = 2 * time.Second
)

// run writes every frame once its last sample is due, and all that are due when
// it wakes late. A length of 0 does not end.
func run(w io.Writer, start time.Time, length time.Duration) error {
	first := samplesAt(start)
	total := samples(length)
	buf := make([]byte, 4*frameSamples)
	limit, inTime := blockedAtStart, 0
	for done := int64(0); length == 0 || done < total; done += frameSamples {
		time.Sleep(time.Until(start.Add(duration(done + frameSamples))))
		frame(buf, first+done)
		before := time.Now()
		if _, err := w.Write(buf); err != nil {
			return fmt.Errorf("write the ruler: %w", err)
		}
		if time.Since(before) > limit {
			done, inTime = max(done, samples(time.Since(start))/frameSamples*frameSamples-frameSamples), 0
		}
		if inTime++; inTime == rate/frameSamples {
			limit = blocked
			if f, ok := w.(*os.File); ok {
				resize(f, roomy)
			}
		}
	}
	return nil
}

func duration(n int64) time.Duration { return time.Duration(n * int64(time.Second) / rate) }

func samples(d time.Duration) int64 { return int64(d) * rate / int64(time.Second) }

// samplesAt is the number of samples since the Unix epoch at t.
func samplesAt(t time.Time) int64 {
	return t.Unix()*rate + int64(t.Nanosecond())*rate/int64(time.Second)
}

// roomy is what a pipe usually holds. One of a page, 21 ms, is what a reader that
// starts later is given, because what it finds in it is old, and stays so. But when the
// machine was busy and several frames are due, each of them takes a change of
// processes through a page, so a reader that takes them in time gets the other.
const roomy = 64 << 10

func resize(f *os.File, size int) {
	_, _ = unix.FcntlInt(f.Fd(), unix.F_SETPIPE_SZ, size) // not a pipe: no size
}

func main() {
	seconds := flag.Float64("seconds", 0, "length in seconds; 0 does not end")
	flag.Parse()
	resize(os.Stdout, os.Getpagesize())
	if err := run(os.Stdout, time.Now(), time.Duration(*seconds*float64(time.Second))); err != nil {
		fmt.Fprintln(os.Stderr, "bursts:", err)
		os.Exit(1)
	}
}
