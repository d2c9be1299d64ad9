package whip

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pion/rtp"

	"longwave/ingest/jitter"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// An in is an inlet and what came out of it.
type in struct {
	*inlet
	seqs, times []int
	copies      []int // that came in another packet
	payloads    []string
}

func newIn() *in {
	x := &in{}
	x.inlet = newInlet(111, 63, false, func(p jitter.Packet) {
		x.seqs = append(x.seqs, int(p.Seq))
		x.times = append(x.times, int(p.Timestamp))
		x.payloads = append(x.payloads, string(p.Payload[1:]))
		if p.Redundant {
			x.copies = append(x.copies, int(p.Seq))
		}
	}, newMetrics(nil))
	return x
}

// said is an Opus packet of 20 ms (CELT, one frame) with some text in it.
func said(text string) []byte { return append([]byte{31 << 3}, text...) }

// red is a RED payload of packets 20 ms apart, oldest first.
func red(packets ...[]byte) []byte {
	var head, data []byte
	for i, p := range packets {
		if i == len(packets)-1 {
			head = append(head, 111)
		} else {
			back := uint32(960 * (len(packets) - 1 - i))
			head = append(head, 0x80|111, byte(back>>6), byte(back<<2)|byte(len(p)>>8), byte(len(p)))
		}
		data = append(data, p...)
	}
	return append(head, data...)
}

func (x *in) send(t *testing.T, pt uint8, seq uint16, payload []byte) {
	t.Helper()
	b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: seq, Timestamp: uint32(seq) * 960}, Payload: payload}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if !x.take(b, now) {
		t.Fatal("too bad")
	}
}

func TestRedundantPacketsFillLosses(t *testing.T) {
	x := newIn()
	x.send(t, 63, 10, red(said("9"), said("10"))) // the first: what was before is not wanted
	x.send(t, 63, 11, red(said("10"), said("11")))
	x.send(t, 63, 13, red(said("12"), said("13")))                         // 12 was lost
	x.send(t, 63, 12, red(said("11"), said("12")))                         // and comes late
	x.send(t, 63, 13, red(said("12"), said("13")))                         // twice
	x.send(t, 63, 17, red(said("14"), said("15"), said("16"), said("17"))) // three were lost
	x.send(t, 111, 18, said("18"))                                         // the sender stops it
	x.send(t, 63, 20, red(nil, said("20")))                                // nothing in it
	if diff := cmp.Diff([]string{"10", "11", "12", "13", "14", "15", "16", "17", "18", "20"}, x.payloads); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{12, 14, 15, 16}, x.copies); diff != "" {
		t.Error(diff)
	}
	for i, seq := range x.seqs {
		if x.times[i] != seq*960 {
			t.Errorf("packet %d at %d", seq, x.times[i])
		}
	}
}

// TestPadding: what has nothing in it is not bad, and the packet after it, which brings
// the one before it once more, is not taken for a copy of it.
func TestPadding(t *testing.T) {
	for _, pt := range []uint8{63, 111} {
		x := newIn()
		x.send(t, 63, 10, red(said("10")))
		x.send(t, pt, 11, nil)
		if x.bad.level != mostBad {
			t.Errorf("payload type %d: padding is bad", pt)
		}
		x.send(t, 63, 12, red(said("10"), said("12")))
		if diff := cmp.Diff([]string{"10", "12"}, x.payloads); diff != "" {
			t.Errorf("payload type %d: %s", pt, diff)
		}
	}
}

func TestSplitRED(t *testing.T) {
	for _, c := range []struct {
		what string
		in   []byte
		want []block
		bad  bool
	}{
		{what: "one packet", in: []byte{111, 1, 2}, want: []block{{pt: 111, payload: []byte{1, 2}}}},
		{what: "none in it", in: []byte{111}, want: []block{{pt: 111, payload: []byte{}}}},
		{what: "two", in: []byte{0x80 | 111, 960 >> 6, 960 << 2 & 0xff, 2, 111, 1, 2, 3}, want: []block{{111, 960, []byte{1, 2}}, {111, 0, []byte{3}}}},
		{what: "the longest and oldest", in: append([]byte{0x80 | 5, 0xff, 0xff, 0xff, 6}, make([]byte, 1023)...), want: []block{{5, 1<<14 - 1, make([]byte, 1023)}, {6, 0, []byte{}}}},
		{what: "nothing", bad: true},
		{what: "a short header", in: []byte{0x80, 0, 0}, bad: true},
		{what: "no last header", in: []byte{0x80 | 111, 0, 0, 0}, bad: true},
		{what: "a block that is longer than the rest", in: []byte{0x80 | 111, 0, 0, 2, 111, 1}, bad: true},
		{what: "too many", in: append(bytes.Repeat([]byte{0x80 | 111, 0, 0, 0}, mostBlocks), 111), bad: true},
	} {
		got, err := splitRED(nil, c.in)
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(block{}), cmpopts.EquateEmpty()); diff != "" || (err != nil) != c.bad {
			t.Errorf("%s: %v\n%s", c.what, err, diff)
		}
	}
}

// FuzzSplitRED: what is split is what is there, and nothing is read beyond it.
func FuzzSplitRED(f *testing.F) {
	f.Add([]byte{111, 1, 2})
	f.Add(red(said("a"), said("bc"), said("def")))
	f.Add([]byte{0x80, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		blocks, err := splitRED(nil, b)
		if err != nil {
			if len(blocks) != 0 {
				t.Errorf("%d blocks with an error", len(blocks))
			}
			return
		}
		var again []byte
		for i, x := range blocks {
			if i < len(blocks)-1 {
				again = append(again, 0x80|x.pt, byte(x.back>>6), byte(x.back<<2)|byte(len(x.payload)>>8), byte(len(x.payload)))
			} else {
				again = append(again, x.pt)
			}
		}
		for _, x := range blocks {
			again = append(again, x.payload...)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%x\n%x", b, again)
		}
	})
}

// FuzzTake: whatever an RTP packet holds, an inlet passes on nothing but packets that
// Opus can be.
func FuzzTake(f *testing.F) {
	packet := func(pt uint8, payload []byte) []byte {
		b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: 7}, Payload: payload}).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	f.Add(packet(111, said("x")))
	f.Add(packet(63, red(said("x"), said("y"))))
	f.Add([]byte{0xbf, 111, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		x := newInlet(111, 63, false, func(p jitter.Packet) {
			if checkOpus(p.Payload) != "" {
				t.Errorf("%x", p.Payload)
			}
		}, newMetrics(nil))
		x.take(packet(111, said("x")), now)
		x.take(b, now)
	})
}

func TestCheckOpus(t *testing.T) {
	for _, c := range []struct {
		what string
		in   []byte
		want string
	}{
		{"20 ms", said("x"), ""},
		{"nothing", nil, packetMalformed},
		{"the longest frame", append([]byte{31 << 3}, make([]byte, 1275)...), ""},
		{"a longer one", append([]byte{31 << 3}, make([]byte, 1290)...), packetOversized},
		{"two frames", append([]byte{31<<3 | 1}, make([]byte, 2550)...), ""},
		{"60 ms of SILK twice", []byte{3<<3 | 1, 1, 1}, ""},
		{"60 ms of SILK three times", []byte{3<<3 | 3, 3, 1}, packetMalformed},
		{"48 of 2.5 ms", []byte{16<<3 | 3, 48, 1}, ""},
		{"49 of 2.5 ms", []byte{16<<3 | 3, 49, 1}, packetMalformed},
		{"six of 20 ms, hybrid", []byte{13<<3 | 3, 6, 1}, ""},
		{"seven of 20 ms, hybrid", []byte{13<<3 | 3, 7, 1}, packetMalformed},
		{"no frames", []byte{31<<3 | 3, 0}, packetMalformed},
		{"no number of frames", []byte{31<<3 | 3}, packetMalformed},
	} {
		if got := checkOpus(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

func TestWindow(t *testing.T) {
	var w window
	lost := 0
	see := func(seq uint16) bool {
		fresh, n := w.see(seq)
		lost += n
		return fresh
	}
	for _, c := range []struct {
		seq   uint16
		fresh bool
	}{
		{65_530, true}, {65_530, false}, {65_531, true}, {2, true}, {0, true}, {0, false}, {65_529, false},
	} {
		if got := see(c.seq); got != c.fresh {
			t.Errorf("%d: fresh %v", c.seq, got)
		}
	}
	if lost != 0 {
		t.Errorf("%d lost while they may still come", lost)
	}
	see(100)
	if lost != 39 { // 65532 to 65535, 1, and 3 to 36
		t.Errorf("%d lost, want 39", lost)
	}
	if see(30) {
		t.Error("what is out of the window is fresh")
	}
	if see(5000); lost != 39 || w.newest != 5000 {
		t.Errorf("a new count: %d lost, newest %d", lost, w.newest)
	}
}

func TestInletBounds(t *testing.T) {
	packet := func(seq uint16, payload []byte) []byte {
		b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 111, SequenceNumber: seq}, Payload: payload}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		what    string
		every   time.Duration
		size    int
		packets int
		all     bool // come through
		closed  bool
	}{
		{"a browser", 20 * time.Millisecond, 160, 3000, true, false},
		{"10 ms packets", 10 * time.Millisecond, 100, 3000, true, false},
		{"two seconds at once", 0, 160, 100, true, false},
		{"ten times as many", 2 * time.Millisecond, 80, 3000, false, true},
		{"ten times the bits", 20 * time.Millisecond, 1200, 3000, false, true},
		{"a little too much", 8 * time.Millisecond, 100, 3000, false, false},
	} {
		x, at, closed := newIn(), now, false
		for i := range c.packets {
			if !x.take(packet(uint16(i), append(said("x"), make([]byte, c.size)...)), at) {
				closed = true
				break
			}
			at = at.Add(c.every)
		}
		if all := len(x.seqs) == c.packets; all != c.all || closed != c.closed {
			t.Errorf("%s: %d of %d came through, closed %v", c.what, len(x.seqs), c.packets, closed)
		}
	}
}

func TestParseFragment(t *testing.T) {
	const candidate = "1 1 udp 2130706431 192.0.2.1 9 typ host"
	for _, c := range []struct {
		what, in string
		want     fragment
		bad      bool
	}{
		{what: "nothing"},
		{
			what: "candidates", in: "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:" + candidate + "\r\na=end-of-candidates\r\n",
			want: fragment{"EsAw", "P2uYro0UCOQ4zxjKXaWCBui1", []trickled{{"0", candidate}}},
		},
		{what: "bare line feeds", in: "a=mid:x\na=candidate:" + candidate + "\n", want: fragment{candidates: []trickled{{"x", candidate}}}},
		{what: "an IPv6 address", in: "a=candidate:1 1 UDP 1 2001:db8::1 9 typ host\r\n", want: fragment{candidates: []trickled{{"", "1 1 UDP 1 2001:db8::1 9 typ host"}}}},
		{what: "a name", in: "a=candidate:1 1 udp 1 x.local 9 typ host\r\n"},
		{what: "half a candidate", in: "a=candidate:1 1 udp\r\n"},
		{what: "what we do not know", in: "a=group:BUNDLE 0\r\na=future:x\r\nb=AS:1\r\n"},
		{what: "no line of SDP", in: "hello\r\n", bad: true},
		{what: "a long line", in: "a=" + strings.Repeat("x", mostLine) + "\r\n", bad: true},
		{what: "33 candidates", in: strings.Repeat("a=candidate:"+candidate+"\r\n", 33), bad: true},
		{what: "a short name", in: "a=ice-ufrag:abc\r\n", bad: true},
		{what: "a short password", in: "a=ice-pwd:abcdefghijklmnopqrstu\r\n", bad: true},
		{what: "a strange name", in: "a=ice-ufrag:ab\tcd\r\n", bad: true},
	} {
		got, err := parseFragment(c.in)
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(fragment{}, trickled{})); diff != "" || (err != nil) != c.bad {
			t.Errorf("%s: %v\n%s", c.what, err, diff)
		}
	}
}

// FuzzParseFragment: what is read holds no line's end and is not more than it may be.
func FuzzParseFragment(f *testing.F) {
	f.Add("a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n")
	f.Add("a=\n\r\na=candidate:\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		x, err := parseFragment(s)
		if err != nil {
			return
		}
		if len(x.candidates) > mostCandidates || strings.ContainsAny(x.ufrag+x.pwd, "\r\n ") {
			t.Errorf("%+v", x)
		}
		for _, c := range x.candidates {
			if strings.ContainsAny(c.candidate+c.mid, "\n") || !isAddress(c.candidate) {
				t.Errorf("%+v", c)
			}
		}
	})
}

// FuzzParseOffer: no offer, however broken, does more than fail.
func FuzzParseOffer(f *testing.F) {
	f.Add([]byte("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=sendonly\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parseOffer(b, whip)
		if err != nil {
			return
		}
		if direction(o.SessionDescription, o.audio) != "sendonly" || payloadType(o.audio, "opus") == "" {
			t.Errorf("%s", b)
		}
		if _, err := o.restarted(fragment{ufrag: "abcd", pwd: "x"}); err != nil {
			t.Errorf("%v: %s", err, b)
		}
	})
}

func TestSenders(t *testing.T) {
	s := newSenders()
	quiet, loud := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.1:2")
	at, passed := now, 0
	for i := range 6 * 1000 { // six seconds
		at = at.Add(time.Millisecond)
		if s.admit(loud, at) {
			passed++
		}
		if i%10 == 0 && !s.admit(quiet, at) {
			t.Fatal("the quiet one is refused")
		}
	}
	if passed > 6*mostDatagrams || passed < 5*mostDatagrams {
		t.Errorf("%d passed", passed)
	}
	if s.floods(loud) != 5 || s.floods(quiet) != 0 {
		t.Errorf("loud for %d s, quiet for %d s", s.floods(loud), s.floods(quiet))
	}
	s.admit(loud, at.Add(2*time.Second))
	s.admit(loud, at.Add(4*time.Second))
	if s.floods(loud) != 0 {
		t.Error("a second of peace is not seen")
	}
	for i := range 2 * mostSenders { // addresses that are made up
		s.admit(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1), at.Add(4*time.Second))
	}
	if len(s.counts) > mostSenders+1 {
		t.Errorf("%d addresses are counted", len(s.counts))
	}
}

// TestMadeUpSenders: a flood from addresses that are made up does not shut out who was
// there before it.
func TestMadeUpSenders(t *testing.T) {
	s := newSenders()
	speaker, at, refused := netip.MustParseAddrPort("192.0.2.1:1"), now, 0
	s.admit(speaker, at)
	for i := range 3 * 50 { // three seconds, of which the first datagrams are the flood's
		at = at.Add(20 * time.Millisecond)
		for k := range mostSenders + 1 {
			s.admit(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i), byte(k >> 8), byte(k)}), 1), at)
		}
		if !s.admit(speaker, at) {
			refused++
		}
	}
	if refused > 0 {
		t.Errorf("%d of the speaker's datagrams are refused", refused)
	}
	if n := len(s.counts) + len(s.before); n > 2*(mostSenders+2) {
		t.Errorf("%d addresses are remembered", n)
	}
}

// TestConnections: who opens connections and says nothing keeps others of their own network
// out and nobody else.
func TestConnections(t *testing.T) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	c := newConnections(l)
	defer func() { _ = c.Close() }()
	from := func(last byte) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, last)}}
		conn, err := d.DialContext(t.Context(), "tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	var in []net.Conn
	for range nearConnections {
		from(2)
		conn, err := c.Accept()
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, conn)
	}
	from(2)
	other := from(3)
	conn, err := c.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if conn.RemoteAddr().String() != other.LocalAddr().String() {
		t.Errorf("%v came in after %d of its network", conn.RemoteAddr(), len(in))
	}
	_ = in[0].Close()
	again := from(2)
	if conn, err = c.Accept(); err != nil || conn.RemoteAddr().String() != again.LocalAddr().String() {
		t.Errorf("after one has left: %v, %v", conn, err)
	}
}
