package disk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"longwave/origin/store/disk"
	"longwave/packager"
)

// What it costs to make 12 kB (a segment at 48 kbit/s) safe, by what it is then
// safe against. The origin may want the second before it names an object.
func BenchmarkPut(b *testing.B) {
	data := make([]byte, 12_000)
	b.Run("write and rename, against nothing else", func(b *testing.B) {
		dir := b.TempDir()
		for i := 0; b.Loop(); i++ {
			tmp := filepath.Join(dir, "tmp")
			if err := os.WriteFile(tmp, data, 0o600); err != nil {
				b.Fatal(err)
			}
			if err := os.Rename(tmp, filepath.Join(dir, fmt.Sprint(i))); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, bb := range []struct {
		name     string
		volatile bool
		key      packager.Key
	}{
		{"segment, against kill -9 (not flushed)", true, packager.Key{Kind: packager.Segment}},
		{"segment, against a power cut (flushed)", false, packager.Key{Kind: packager.Segment}},
		{"part (not flushed)", false, packager.Key{Kind: packager.Part}},
		{"playlist (flushed)", false, packager.Key{Kind: packager.Media}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s := open(b, disk.Options{Dir: b.TempDir(), Volatile: bb.volatile})
			b.ReportAllocs()
			k := bb.key
			k.Station, k.Rendition = "talk", "opus-48"
			for b.Loop() {
				if err := s.Put(b.Context(), packager.Object{Key: k, Data: data}); err != nil {
					b.Fatal(err)
				}
				if k.Kind != packager.Media {
					k.MSN++
				}
			}
		})
	}
}
