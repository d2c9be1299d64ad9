package opus_test

import (
	"testing"

	"longwave/packager/encode/encodetest"
	"longwave/packager/encode/opus"
)

func TestCoder(t *testing.T) {
	for _, channels := range []int{1, 2} {
		c, err := opus.New(channels, 48_000*channels)
		if err != nil {
			t.Fatal(err)
		}
		encodetest.Run(t, c, c.Format(), channels)
	}
}

func BenchmarkEncode(b *testing.B) {
	c, err := opus.New(2, 96_000)
	if err != nil {
		b.Fatal(err)
	}
	encodetest.Bench(b, c, c.Format(), 2)
}
