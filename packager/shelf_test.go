package packager

import "testing"

// TestShelf: what a store's playlist may name, from what the store acknowledged.
func TestShelf(t *testing.T) {
	for _, c := range []struct {
		name        string
		sent        int64
		keep, lose  []int64
		first, last int64
	}{
		{"in order", 12, []int64{10, 11, 12}, nil, 10, 12},
		{"out of order", 12, []int64{12, 11, 10}, nil, 10, 12},
		{"one under way", 13, []int64{10, 12, 13}, nil, 10, 10},
		{"one given up", 13, []int64{10, 12, 13}, []int64{11}, 12, 13},
		{"one under way for long", 15, []int64{10, 12, 13, 14, 15}, nil, 12, 15},
		{"and then acknowledged", 15, []int64{10, 12, 13, 14, 15, 11}, nil, 12, 15},
		{"old ones in any order", 41, []int64{10, 12, 13, 14, 15, 16}, nil, 10, 10},
		{"two holes", 19, []int64{10, 12, 13, 16, 17, 18, 19}, []int64{15}, 16, 19},
		{"longer than the window", 50, []int64{
			10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
			30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
		}, nil, 12, 43},
	} {
		s := newShelf(10)
		s.sent = c.sent
		for _, msn := range c.lose {
			s.giveUp(msn)
		}
		for _, msn := range c.keep {
			s.keep(msn)
		}
		if s.first != c.first || s.last != c.last {
			t.Errorf("%s: %d to %d, want %d to %d", c.name, s.first, s.last, c.first, c.last)
		}
	}
}
