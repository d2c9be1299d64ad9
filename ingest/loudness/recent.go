package loudness

import "math"

const (
	// unit is what an energy is counted in: 2^-40, 120 dB under full scale.
	unit = 1.0 / (1 << 40)
	// mostEnergy (+35 LUFS) bounds a block, so that a sum of 2048 fits 63 bits.
	mostEnergy = 1 << 12

	relativeGate = 10 // -10 LU, as a ratio of energies
)

// BlockFrames is the length of a gating block of BS.1770-4 in frames, 400 ms;
// HopFrames is how many frames after another each begins.
const (
	BlockFrames = momentaryFrames
	HopFrames   = hopFrames
)

// A Recent tells the loudness of the last gating blocks that it was given, with
// the relative gate of BS.1770-4. What is a block, and which blocks count, its user
// decides.
//
// It counts in integers: two of them that were given the same last blocks tell the
// same, whatever they were given before.
type Recent struct {
	blocks []uint64 // in units
	at, n  int
}

// NewRecent returns one that remembers so many blocks, 2048 at most.
func NewRecent(blocks int) *Recent { return &Recent{blocks: make([]uint64, blocks)} }

// Add takes in a block's K-weighted energy, summed over the channels.
func (r *Recent) Add(energy float64) {
	r.blocks[r.at] = uint64(math.RoundToEven(min(max(energy, 0), mostEnergy) / unit))
	r.at = (r.at + 1) % len(r.blocks)
	r.n = min(r.n+1, len(r.blocks))
}

// Len returns how many blocks it remembers now.
func (r *Recent) Len() int { return r.n }

// LUFS returns the gated loudness of the remembered blocks; [Silence] where there
// are none.
func (r *Recent) LUFS() float64 {
	all, n := r.above(0)
	if n == 0 {
		return Silence
	}
	loud, n := r.above(all / n / relativeGate)
	return LUFS(float64(loud) * unit / float64(n))
}

// above returns the sum and the number of the blocks that are not under gate.
func (r *Recent) above(gate uint64) (sum, n uint64) {
	for _, e := range r.blocks[:r.n] {
		if e >= gate {
			sum += e
			n++
		}
	}
	return sum, n
}
