package ingest

import (
	"errors"
	"time"

	"longwave/ingest/pcm"
)

// Why a speaker does not get on air. A transport answers an error that wraps
// [ErrRefused] with a final refusal; after any other error the client may retry.
var (
	// ErrRefused is wrapped by errors that mean: this speaker, never so.
	ErrRefused = errors.New("refused")
	// ErrUnauthorized means that no token was shown, or one that is not ours.
	ErrUnauthorized = errors.New("no valid token")
	// ErrForbidden means a token of ours that does not open this door: expired,
	// revoked, another station's or another role's.
	ErrForbidden = errors.New("token not valid here")
	// ErrBusy means that the station has no seat left.
	ErrBusy = errors.New("no seat free")
	// ErrClosed means that the lane was closed from our side: the same token
	// connected again, or the programme ended.
	ErrClosed = errors.New("lane closed")
)

// A Claim is what a transport knows of somebody who wants to speak.
type Claim struct {
	Station   string
	Token     string // empty for the operator's own inputs, see [Gate.Trust]
	Transport string // "icecast", "file": also the metrics' label
	Remote    string // address for the log
	Name      string // what the speaker calls themselves; the token's name goes before it
}

// A Packet is one access unit, or one run of bytes of a container, as it arrived.
type Packet struct {
	Data    []byte
	PTS     pcm.Pos // since the source's start; -1 where the container has none
	Arrival time.Time
}
