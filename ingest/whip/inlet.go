package whip

import (
	"bytes"
	"time"

	"github.com/pion/rtp"

	"longwave/ingest/jitter"
)

// What a speaker may send. Browsers send 50 packets and 4 to 16 kB a second.
const (
	mostPackets     = 110       // a second; 100 of 10 ms, and some again
	mostTalkBytes   = 320e3 / 8 // a second, of payload
	mostMusicBytes  = 640e3 / 8
	mostBurst       = 2 * time.Second // of either, after the network stood still
	mostBad         = 500             // packets that were dropped, less so many a second:
	badForgiven     = 5
	mostOpusFrame   = 1275 // bytes, RFC 6716 section 3.4
	mostOpusSamples = 5760 // of a packet: 120 ms
)

// An inlet takes a speaker's RTP packets apart, drops what is out of bounds, and
// passes on Opus packets. One goroutine uses it.
type inlet struct {
	opus, red uint8 // payload types; red 0: none
	put       func(jitter.Packet)
	m         *metrics

	packets, bytes bucket
	seen           window
	bad            bucket // of packets that may be dropped
	packet         rtp.Packet
	blocks         []block
}

func newInlet(opus, red uint8, music bool, put func(jitter.Packet), m *metrics) *inlet {
	most := float64(mostTalkBytes)
	if music {
		most = mostMusicBytes
	}
	return &inlet{
		opus: opus, red: red, put: put, m: m,
		packets: newBucket(mostPackets, mostPackets*mostBurst.Seconds()), bytes: newBucket(most, most*mostBurst.Seconds()),
		bad: newBucket(badForgiven, mostBad), blocks: make([]block, 0, mostBlocks),
	}
}

// take takes a datagram that arrived at now. It returns false when too many were bad.
func (in *inlet) take(raw []byte, now time.Time) bool {
	p := &in.packet
	*p = rtp.Packet{}
	if !in.packets.spend(1, now) || !in.bytes.spend(float64(len(raw)), now) {
		return in.drop(packetExcess, now)
	}
	if err := p.Unmarshal(raw); err != nil {
		return in.drop(packetMalformed, now)
	}
	in.m.bytes.Add(float64(len(p.Payload)))
	switch {
	case p.PayloadType == in.opus:
		return in.single(now)
	case p.PayloadType == in.red && in.red != 0:
		return in.redundant(now)
	}
	return in.drop(packetMalformed, now)
}

// single takes a packet of Opus.
func (in *inlet) single(now time.Time) bool {
	p := &in.packet
	fresh, lost := in.seen.see(p.SequenceNumber)
	in.m.lost.Add(float64(lost))
	if !fresh || len(p.Payload) == 0 { // again, or padding
		return true
	}
	if result := checkOpus(p.Payload); result != "" {
		return in.drop(result, now)
	}
	in.pass(packetCarried, p.SequenceNumber, p.Timestamp, p.Payload, now)
	return true
}

// redundant takes a packet that has those before it in it too. RFC 2198 gives their
// times and not their sequence numbers; senders put the last ones in, in order.
func (in *inlet) redundant(now time.Time) bool {
	p := &in.packet
	if len(p.Payload) == 0 { // padding, by which a browser feels how much the network carries
		_, lost := in.seen.see(p.SequenceNumber)
		in.m.lost.Add(float64(lost))
		return true
	}
	var err error
	if in.blocks, err = splitRED(in.blocks[:0], p.Payload); err != nil {
		return in.drop(packetMalformed, now)
	}
	last := len(in.blocks) - 1
	started := in.seen.started
	fresh, lost := in.seen.see(p.SequenceNumber)
	in.m.lost.Add(float64(lost))
	for i, b := range in.blocks[:last] {
		seq := p.SequenceNumber - uint16(last-i)
		if !started || b.pt != in.opus || len(b.payload) == 0 || in.seen.has(seq) || checkOpus(b.payload) != "" {
			continue
		}
		in.seen.see(seq)
		in.pass(packetRecovered, seq, p.Timestamp-b.back, b.payload, now)
	}
	b := in.blocks[last]
	if !fresh || len(b.payload) == 0 {
		return true
	}
	if b.pt != in.opus {
		return in.drop(packetMalformed, now)
	}
	if result := checkOpus(b.payload); result != "" {
		return in.drop(result, now)
	}
	in.pass(packetCarried, p.SequenceNumber, p.Timestamp, b.payload, now)
	return true
}

func (in *inlet) pass(result string, seq uint16, timestamp uint32, payload []byte, now time.Time) {
	in.m.packets.WithLabelValues(result).Inc()
	in.put(jitter.Packet{Seq: seq, Timestamp: timestamp, Payload: bytes.Clone(payload), Arrival: now, Redundant: result == packetRecovered})
}

// drop counts a packet that is not passed on; false: that has gone on for too long.
func (in *inlet) drop(result string, now time.Time) bool {
	in.m.packets.WithLabelValues(result).Inc()
	return in.bad.spend(1, now)
}

// checkOpus returns what is wrong with an Opus packet: packetMalformed, packetOversized
// or nothing. RFC 6716 section 3: at most 120 ms, and 1275 bytes a frame.
func checkOpus(b []byte) (result string) {
	if len(b) == 0 {
		return packetMalformed
	}
	frames := 1
	switch b[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(b) < 2 || b[1]&63 == 0 {
			return packetMalformed
		}
		frames = int(b[1] & 63)
	}
	if frames*opusFrame(b[0]>>3) > mostOpusSamples {
		return packetMalformed
	}
	if len(b) > frames*(mostOpusFrame+2)+2 {
		return packetOversized
	}
	return ""
}

// opusFrame returns the samples at 48 kHz of a frame of a configuration, RFC 6716
// table 2.
func opusFrame(config byte) int {
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		return []int{480, 960, 1920, 2880}[config%4]
	case config < 16: // hybrid: 10, 20 ms
		return 480 << (config % 2)
	}
	return 120 << (config % 4) // CELT: 2.5, 5, 10, 20 ms
}

// A bucket bounds a rate, each second, and what may come at once.
type bucket struct {
	rate, most, level float64
	last              time.Time
}

func newBucket(rate, most float64) bucket { return bucket{rate: rate, most: most, level: most} }

func (b *bucket) spend(n float64, now time.Time) bool {
	if !b.last.IsZero() {
		b.level = min(b.level+now.Sub(b.last).Seconds()*b.rate, b.most)
	}
	b.last = now
	if b.level < n {
		return false
	}
	b.level -= n
	return true
}

// A window knows which of the last 64 sequence numbers were seen.
type window struct {
	started bool
	newest  uint16
	mask    uint64 // bit i: newest-i
}

// mostJump is how far sequence numbers may jump and still be the same count: 5 s.
const mostJump = 250

// see notes a number. It was fresh when it had not been noted; lost is how many fell
// out of the window by it that were never seen.
func (w *window) see(seq uint16) (fresh bool, lost int) {
	ahead := int(int16(seq - w.newest))
	switch {
	case !w.started || ahead > mostJump || ahead < -mostJump:
		*w = window{started: true, newest: seq, mask: ^uint64(0)}
		return true, 0
	case ahead > 0:
		for range ahead {
			if w.mask>>63 == 0 {
				lost++
			}
			w.mask <<= 1
		}
		w.newest = seq
		w.mask |= 1
		return true, lost
	case ahead <= -64:
		return false, 0
	}
	bit := uint64(1) << -ahead
	fresh = w.mask&bit == 0
	w.mask |= bit
	return fresh, 0
}

// has reports that a number is seen, or too old to be told.
func (w *window) has(seq uint16) bool {
	ahead := int(int16(seq - w.newest))
	return ahead <= -64 || ahead <= 0 && w.mask>>-ahead&1 == 1
}
