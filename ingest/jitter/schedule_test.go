package jitter_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"longwave/ingest/jitter"
	"longwave/ingest/pcm"
)

// TestAnySchedule sends counted samples as a random sender would and checks that
// every one comes out once, in order, or was counted as skipped or dropped.
func TestAnySchedule(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) { anySchedule(t, rand.New(rand.NewPCG(seed, 5))) })
	}
}

func FuzzAnySchedule(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) { anySchedule(t, rand.New(rand.NewPCG(seed, 6))) })
	})
}

func anySchedule(t *testing.T, rng *rand.Rand) {
	s := jitter.NewStream(jitter.Options{Target: time.Duration(rng.IntN(1000)) * time.Millisecond, Capacity: time.Duration(rng.IntN(3000)) * time.Millisecond})
	total := 0
	go func() {
		for range 50 {
			n := rng.IntN(1 << rng.IntN(16))
			if err := s.Write(t.Context(), slices.Repeat([]float32{0.5}, n*pcm.Channels)); err != nil {
				t.Error(err)
			}
			total += n
			time.Sleep(time.Duration(rng.IntN(1<<rng.IntN(12))) * time.Millisecond)
		}
		s.End()
	}()
	heard, frames := 0, 0
	frame := make([]float32, pcm.FrameLen)
	exact := true
	for s.State().Phase != jitter.Ended {
		fill := s.Pull(frame)
		n := 0
		for i := 0; i < len(frame); i += 2 {
			if frame[i] != 0 {
				n++
			}
		}
		if (n > 0) != (fill == pcm.Heard) {
			t.Fatalf("fill %v with %d samples", fill, n)
		}
		st := s.State()
		exact = exact && st.Ratio == 1
		if st.Written != st.Played+st.Skipped+st.Dropped+int64(st.Level) || st.Level < 0 || st.Played < 0 {
			t.Fatalf("%+v", st)
		}
		heard += n
		if frames++; frames > 50*60*10 {
			t.Fatal("no end")
		}
		time.Sleep(pcm.FrameDuration)
	}
	st := s.State()
	if st.Written != int64(total) || st.Played+st.Skipped != int64(total) || st.Level != 0 {
		t.Errorf("%d sent: %+v", total, st)
	}
	if exact && int64(heard) != st.Played {
		t.Errorf("%d samples heard, %d played", heard, st.Played)
	}
}
