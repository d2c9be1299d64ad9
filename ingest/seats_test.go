package ingest_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"longwave/ingest"
	"longwave/ingest/pcm"
	"longwave/ingest/token"
)

// hostClaim is the claim of a host with a name.
func (d *desk) hostClaim(name string) ingest.Claim {
	d.t.Helper()
	text, err := d.signer.Sign(token.Token{Station: "talk", Role: token.Host, Name: name})
	if err != nil {
		d.t.Fatal(err)
	}
	return ingest.Claim{Station: "talk", Token: text, Transport: "stdin"}
}

// restore restarts the desk with the place of a claim's owner.
func (d *desk) restore(c ingest.Claim) {
	d.t.Helper()
	tok, err := d.gate.Check(c)
	if err != nil {
		d.t.Fatal(err)
	}
	d.programme.Desk().Restore([]ingest.Place{{Seat: tok.ID, Name: tok.Name, Role: tok.Role}})
}

// TestEarsFirst: a page that hears before it speaks takes no place on air: of two who come
// so to a station that nobody hosts, one is heard.
func TestEarsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		d.hear(100 * time.Millisecond)
		anna, bert := d.claim("Anna"), d.claim("Bert")
		d.ear(anna)
		d.ear(bert)
		say(d.open(anna), tones["Anna"], 5*time.Second)
		d.hear(20 * time.Millisecond)
		say(d.open(bert), tones["Bert"], 5*time.Second)
		if got := names(d.hear(2 * time.Second)[2*pcm.Rate:]); !slices.Equal(got, []string{"Anna"}) {
			t.Errorf("the audience hears %v, want Anna who was first", got)
		}
		d.hear(5 * time.Second)
	})
}

// TestHostListensAfterRestart: a host whose place was restored and who only listens as yet
// is a host: nobody goes on air by themselves, and they are on air when the doors open.
func TestHostListensAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		host, c := d.programme.Desk(), d.hostClaim("Anna")
		d.restore(c)
		d.hear(100 * time.Millisecond)
		d.ear(c)
		say(d.open(d.claim("Bert")), tones["Bert"], 5*time.Second)
		if got := names(d.hear(2 * time.Second)[2*pcm.Rate:]); len(got) > 0 {
			t.Errorf("a host is here, and the audience hears %v", got)
		}
		host.SetAuto(false)
		say(d.open(c), tones["Anna"], 5*time.Second)
		if got := names(d.hear(2 * time.Second)[2*pcm.Rate:]); !slices.Equal(got, []string{"Anna"}) {
			t.Errorf("after the doors opened the audience hears %v", got)
		}
		d.hear(5 * time.Second)
	})
}

// TestHostComesBackAfterTheDoors: the doors open between a restart and a host's coming
// back. They are on air like a host who was there.
func TestHostComesBackAfterTheDoors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		host, c := d.programme.Desk(), d.hostClaim("Anna")
		d.restore(c)
		host.SetAuto(false)
		d.hear(100 * time.Millisecond)
		say(d.open(c), tones["Anna"], 5*time.Second)
		if got := names(d.hear(2 * time.Second)[2*pcm.Rate:]); !slices.Equal(got, []string{"Anna"}) {
			t.Errorf("the audience hears %v", got)
		}
		d.hear(5 * time.Second)
	})
}

// TestRemovedEar: what was removed is gone, even when its connection is closed after its
// owner has come again.
func TestRemovedEar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		c := d.hostClaim("Anna")
		d.hear(100 * time.Millisecond)
		first, err := d.gate.OpenReturn(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.programme.Desk().Remove(d.seat("Anna")); err != nil {
			t.Fatal(err)
		}
		if _, err := d.gate.OpenReturn(c); err != nil {
			t.Fatal(err)
		}
		first.Close()
		say(d.open(d.claim("Bert")), tones["Bert"], 3*time.Second)
		if got := names(d.hear(2 * time.Second)[2*pcm.Rate:]); len(got) > 0 {
			t.Errorf("a host is here, and the audience hears %v", got)
		}
		d.hear(3 * time.Second)
	})
}
