package feed

import "math"

const (
	mostScan   = 4800 // the longest thing that is looked for
	mostShift  = 400  // the farthest that it may be from where it is expected
	scanBudget = 24_000
)

// A scan looks for a in b: it works out their normalised correlation at every shift,
// a bounded number of multiplications at a time.
type scan struct {
	a, b     []float32 // len(b) is len(a) + 2*shift
	bufA     [mostScan]float32
	bufB     [mostScan + 2*mostShift]float32
	r        [2*mostShift + 1]float32
	next     int // shift to be worked out
	sumA, qA float64
	sumB, qB float64 // of b's window at next
}

// start makes room for something of n values within shift of its place; the caller
// fills a and b and calls begin.
func (s *scan) start(n, shift int) {
	s.a, s.b = s.bufA[:n], s.bufB[:n+2*shift]
}

// begin starts to look.
func (s *scan) begin() {
	s.next = 0
	s.sumA, s.qA = sums(s.a)
	s.sumB, s.qB = sums(s.b[:len(s.a)])
}

func sums(x []float32) (sum, squares float64) {
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	return sum, squares
}

// shifts is how many shifts there are.
func (s *scan) shifts() int { return len(s.b) - len(s.a) + 1 }

// step works on and reports that all shifts are done.
func (s *scan) step() bool {
	n := len(s.a)
	for range max(scanBudget/n, 1) {
		if s.next == s.shifts() {
			return true
		}
		window := s.b[s.next : s.next+n]
		s.r[s.next] = s.correlation(dot(s.a, window))
		if s.next++; s.next < s.shifts() {
			out, in := float64(window[0]), float64(s.b[s.next+n-1])
			s.sumB += in - out
			s.qB += in*in - out*out
		}
	}
	return s.next == s.shifts()
}

func (s *scan) correlation(product float64) float32 {
	n := float64(len(s.a))
	va, vb := s.qA-s.sumA*s.sumA/n, s.qB-s.sumB*s.sumB/n
	if va < 1e-9*n || vb < 1e-9*n { // nothing to see
		return 0
	}
	return float32((product - s.sumA*s.sumB/n) / math.Sqrt(va*vb))
}

func dot(a, b []float32) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32 // four sums wait for each other less than one for itself
	i := 0
	for ; i+3 < len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return float64(s0) + float64(s1) + float64(s2) + float64(s3)
}

// peak returns the shift of the highest correlation, from -shift to shift, how high it
// is, and how much higher than any that is more than near away.
func (s *scan) peak(near int) (at int, height, over float32) {
	r := s.r[:s.shifts()]
	best := 0
	for i, v := range r {
		if v > r[best] {
			best = i
		}
	}
	var second float32
	for i, v := range r {
		if i < best-near || i > best+near {
			second = max(second, v)
		}
	}
	return best - len(r)/2, r[best], r[best] - second
}
