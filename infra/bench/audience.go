package main

import (
	"math"
	"slices"
	"time"
)

// A wave is one part, as all listeners got it. Times are since the part's end by
// the clock.
type wave struct {
	First   time.Duration `json:"first"`
	Last    time.Duration `json:"last"`
	Median  time.Duration `json:"median"`
	P99     time.Duration `json:"p99"`
	Answers int           `json:"answers"`
}

// An audience is what the process of the listeners reports at its end.
type audience struct {
	Waves    []wave        `json:"waves"` // of the playlists of the first rendition
	Answers  int           `json:"answers"`
	Bad      int           `json:"bad"` // answers that were not 200
	FirstBad string        `json:"first_bad"`
	Bytes    int64         `json:"bytes"`
	CPU      time.Duration `json:"cpu"` // of the listeners' process, in the waves
	// Reload and Part are since the origin's answer: until a listener has the playlist,
	// and until they have the part that it names.
	Reload wait `json:"reload"`
	Part   wait `json:"part"`
	// Witnesses is how many answers the origin gave to those that ask it directly.
	Witnesses int `json:"witnesses"`
}

// A wait is how long listeners waited for something, in ms.
type wait struct {
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Most  float64 `json:"most"`
	Count int     `json:"count"`
	// Worst is the percentile 99 of the worst wave, Typical of the one in the middle.
	Worst   float64 `json:"worst"`
	Typical float64 `json:"typical"`
}

// sum describes what came from a part on.
func (c *crowd) sum(begin int64) {
	var reloads, parts [][]float64
	for i := range int64(c.Waves) {
		number := begin + i
		c.audience.Waves = append(c.audience.Waves, describe(c.arrivals[arrival{forPlaylist, 0, number}], c.end(number)))
		for r := range c.Renditions {
			lists := c.arrivals[arrival{forPlaylist, r, number}]
			witness := c.arrivals[arrival{forWitness, r, number}]
			c.audience.Witnesses += len(witness)
			if len(witness) == 0 || len(lists) == 0 {
				continue
			}
			// Who was answered first saw it first, wherever they asked.
			answered := slices.MinFunc(append(witness, lists...), time.Time.Compare)
			reloads = append(reloads, since(answered, lists))
			parts = append(parts, since(answered, c.arrivals[arrival{forPart, r, number}]))
		}
	}
	c.audience.Reload, c.audience.Part = newWait(reloads), newWait(parts)
}

// since returns how many ms later each came.
func since(t time.Time, at []time.Time) []float64 {
	var d []float64
	for _, a := range at {
		d = append(d, millis(a.Sub(t)))
	}
	return d
}

// newWait describes waves of waits.
func newWait(waves [][]float64) wait {
	all := slices.Concat(waves...)
	if len(all) == 0 {
		return wait{}
	}
	var each []float64
	for _, w := range waves {
		if len(w) > 0 {
			each = append(each, percentile(w, 99))
		}
	}
	return wait{
		P50: percentile(all, 50), P99: percentile(all, 99), Most: percentile(all, 100), Count: len(all),
		Worst: percentile(each, 100), Typical: median(each),
	}
}

// describe describes a wave by its arrivals and the end of its part.
func describe(arrivals []time.Time, end time.Time) wave {
	if len(arrivals) == 0 {
		return wave{}
	}
	slices.SortFunc(arrivals, time.Time.Compare)
	at := func(p float64) time.Duration {
		return arrivals[int(math.Ceil(p/100*float64(len(arrivals))))-1].Sub(end)
	}
	return wave{First: arrivals[0].Sub(end), Last: at(100), Median: at(50), P99: at(99), Answers: len(arrivals)}
}
