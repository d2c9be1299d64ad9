package studio_test

import (
	"slices"
	"testing"
	"time"

	"longwave/ingest/token"
)

// TestSharedLink: a link that two encoders use, each of which comes again when the other has
// taken the seat, is told of until one has given up; one that comes again after a break
// is not.
func TestSharedLink(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		host := r.listen(r.host, "")
		shared, broken := r.sign(token.Token{Role: token.Speaker, Name: "Greta"}), r.sign(token.Token{Role: token.Speaker, Name: "Carl"})
		r.speak(shared, 0.2)
		stop := r.speak(broken, 0.2)
		alarm := "link_shared warn " + r.seat(shared)
		for i := range 4 {
			if told := slices.Contains(alarmsOf(host.state()), alarm); told != (i >= 3) {
				t.Errorf("after %d times: %v", i, told)
			}
			stop()
			time.Sleep(3 * time.Second)
			r.speak(shared, 0.2)
			stop = r.speak(broken, 0.2)
			time.Sleep(3 * time.Second)
		}
		if got := alarmsOf(host.state()); slices.Contains(got, "link_shared warn "+r.seat(broken)) {
			t.Errorf("a line that broke: %v", got)
		}
		time.Sleep(time.Minute)
		if got := alarmsOf(host.state()); len(got) > 0 {
			t.Errorf("one has given up: %v", got)
		}
		host.check()
	})
}
