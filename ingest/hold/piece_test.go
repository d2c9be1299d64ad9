package hold

import "testing"

// BenchmarkBundled is inside the package because Bundled makes the loop once.
func BenchmarkBundled(b *testing.B) {
	for b.Loop() {
		render()
	}
}
