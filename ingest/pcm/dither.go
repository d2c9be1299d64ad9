package pcm

// DitherPeriod is the period of [Dither] in samples per channel: one segment of
// the programme's grid (1.92 s), so that every segment of near-silence is the
// same sound and therefore the same bytes.
const DitherPeriod = 92_160

// DitherPeak is the greatest value that [Dither] gives: one step of 16-bit
// sound, -90.3 dBFS. The noise has an RMS of -98.1 dBFS.
const DitherPeak = 1.0 / 32768

// Dither overwrites dst, interleaved stereo, with noise of triangular density
// within [DitherPeak], independent on both channels. It is near-silence: what
// stands where there is no sound, because some players and encoders treat digital
// silence as an end. It is a pure function of pos, with period [DitherPeriod],
// and the same on every machine.
func Dither(dst []float32, pos Pos) {
	at := pos - pos.Floor(DitherPeriod)
	for i := 0; i+1 < len(dst); i += Channels {
		dst[i], dst[i+1] = ditherAt(at)
		if at++; at == DitherPeriod {
			at = 0
		}
	}
}

// AddDither adds the noise of [Dither] to dst, which takes the harshness out of
// the rounding to 16 bits that comes later.
func AddDither(dst []float32, pos Pos) {
	at := pos - pos.Floor(DitherPeriod)
	for i := 0; i+1 < len(dst); i += Channels {
		left, right := ditherAt(at)
		dst[i] += left
		dst[i+1] += right
		if at++; at == DitherPeriod {
			at = 0
		}
	}
}

// ditherAt makes a sample from four independent 16-bit numbers, which are the
// four quarters of a hash of its position (the finaliser of SplitMix64). The
// difference of two uniform numbers has the triangular density. Everything up
// to the one exact product is integer arithmetic.
func ditherAt(at Pos) (left, right float32) {
	x := (uint64(at) + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	const unit = DitherPeak / 65536
	left = float32(int32(x&0xffff)-int32(x>>16&0xffff)) * unit
	right = float32(int32(x>>32&0xffff)-int32(x>>48)) * unit
	return left, right
}
