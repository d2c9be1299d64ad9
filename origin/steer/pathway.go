package steer

import (
	"fmt"
	"time"

	"longwave/packager"
)

// A Pathway is watched.
type Pathway struct {
	packager.Pathway
	// Own says that what it carries comes from this node, so its bytes can be compared
	// with what was sent. A twin's differ.
	Own bool
}

// A Hand is what the operator wants of a pathway.
type Hand string

// The hands. Their texts are part of the API.
const (
	Auto   Hand = "auto"   // the probes decide
	Prefer Hand = "prefer" // first in the list, whatever the probes say
	Avoid  Hand = "avoid"  // not in the list, unless nothing else is
)

// ParseHand reads a [Hand].
func ParseHand(s string) (Hand, error) {
	switch h := Hand(s); h {
	case Auto, Prefer, Avoid:
		return h, nil
	}
	return "", fmt.Errorf("hand %q: use auto, prefer or avoid", s)
}

// A Fault is what is wrong with an answer.
type Fault string

// The faults. Their texts are part of the API and a label of the metrics.
const (
	Fine    Fault = ""
	Refused Fault = "refused" // no connection
	Silent  Fault = "silent"  // connected, and no answer in time
	Status  Fault = "status"  // another status than 200
	Wrong   Fault = "wrong"   // not what was asked for: HTML, another station, other bytes
	Stale   Fault = "stale"   // a playlist that is behind ours
)

// faults are all of them, as labels.
var faults = []Fault{Refused, Silent, Status, Wrong, Stale}

// A Probe is one look at a pathway.
type Probe struct {
	At        time.Time
	Fault     Fault
	Text      string        // what is wrong, for people
	FirstByte time.Duration // of the playlist
	Behind    time.Duration // how far its playlist is behind ours
}

// A State is how things stand with a pathway.
type State struct {
	Pathway
	Good   bool // by the probes
	Listed bool // players may take it
	Hand   Hand
	Since  time.Time // when Good came to be what it is
	Fault  Fault     // why it is not good
	Text   string
	Last   Probe
}

// A Change is a line of the history: a pathway was found bad or good, or the operator
// laid hands on it.
type Change struct {
	At      time.Time `json:"at"`
	Pathway string    `json:"pathway"`
	What    string    `json:"what"` // "bad", "good", "auto", "prefer" or "avoid"
	Fault   Fault     `json:"fault,omitempty"`
	Text    string    `json:"text,omitempty"`
}
