package whip

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"longwave/ingest"
	"longwave/ingest/turnstile"
)

// A kind is which way a session's sound goes. It is a path's first part and a label.
type kind string

const (
	whip kind = "whip" // to us
	whep kind = "whep" // from us
)

// offers is the direction that the client's audio has.
func (k kind) offers() string {
	if k == whip {
		return "sendonly"
	}
	return "recvonly"
}

const (
	// connectWithin is how long a client may take from our answer to media's keys.
	connectWithin = 10 * time.Second
	// awayAfter is how long a lane is kept open without a packet.
	awayAfter = 2 * time.Second
	// closeAfter is how long a session is.
	closeAfter = 20 * time.Second
	// gatherWithin bounds how long our own candidates may take.
	gatherWithin = 3 * time.Second
)

// A session is one client's connection.
type session struct {
	*Server
	kind    kind
	id      string
	claim   ingest.Claim
	network netip.Prefix
	music   bool
	pc      *webrtc.PeerConnection
	out     *webrtc.TrackLocalStaticRTP // of a return
	ice     iceSession

	connected chan struct{} // closed when media's keys are there
	tracks    chan incoming // the first of sound
	sounds    atomic.Bool   // it has a lane or a return
	heard     atomic.Int64  // when the last packet came, Unix ns
	ending
}

// ending is how a session ends.
type ending struct {
	once   sync.Once
	over   chan struct{}
	why    string        // the metrics' result; written before over is closed
	closed chan struct{} // nothing of it runs any more
}

// end ends the session, once; result is why. It does not wait.
func (e *ending) end(result string) {
	e.once.Do(func() {
		e.why = result
		close(e.over)
	})
}

// newSession makes a session that has not entered yet. Whoever calls it runs or
// discards it.
func (s *Server) newSession(k kind, c ingest.Claim, music bool) (*session, error) {
	x := &session{
		Server: s, kind: k, id: randomID(), claim: c, music: music && k == whip, network: turnstile.Network(c.Remote),
		connected: make(chan struct{}), tracks: make(chan incoming, 1),
		ending: ending{over: make(chan struct{}), closed: make(chan struct{})},
	}
	api, err := s.media.newAPI(func() { x.end(resultFlooded) })
	if err != nil {
		return nil, err
	}
	x.pc, err = api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{s.media.cert}, BundlePolicy: webrtc.BundlePolicyMaxBundle,
	})
	if err != nil {
		return nil, fmt.Errorf("make a connection: %w", err)
	}
	x.attend()
	if k == whip {
		return x, nil
	}
	x.out, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48_000, Channels: 2, SDPFmtpLine: talkFmtp,
	}, "return", "longwave")
	if err == nil {
		_, err = x.pc.AddTrack(x.out)
	}
	if err != nil {
		_ = x.pc.Close()
		return nil, fmt.Errorf("make a return: %w", err)
	}
	return x, nil
}

// randomID returns 128 random bits.
func randomID() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails: see crypto/rand
	return hex.EncodeToString(b)
}

// attend takes note of what the connection tells.
func (x *session) attend() {
	var once sync.Once
	x.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s { //nolint:exhaustive // the others are on the way
		case webrtc.PeerConnectionStateConnected:
			once.Do(func() { close(x.connected) })
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			x.end(resultVanished)
		}
	})
	x.pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		if t.Kind() != webrtc.RTPCodecTypeAudio {
			return
		}
		select {
		case x.tracks <- incoming{t, r}:
		default: // one is enough
		}
	})
}

// run lasts as long as the session does. The server waits for it.
func (x *session) run() {
	defer close(x.closed)
	defer x.leave(x)
	began := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	x.watch(began, func() { work.Go(func() { x.guard(func() { x.carry(ctx) }) }) })
	cancel()
	state, ice := x.pc.ConnectionState(), x.pc.ICEConnectionState()
	_ = x.pc.Close()
	work.Wait()
	x.m.ended.WithLabelValues(string(x.kind), x.why).Inc()
	x.log().Info("WebRTC session ended", "result", x.why, "connection", state.String(), "ice", ice.String(), "lasted", time.Since(began).Round(time.Millisecond))
}

// incoming is a track and what receives it.
type incoming struct {
	*webrtc.TrackRemote
	*webrtc.RTPReceiver
}

// watch waits until the session is over; start is called when it is connected.
func (x *session) watch(began time.Time, start func()) {
	limit := time.NewTimer(connectWithin)
	defer limit.Stop()
	select {
	case <-x.over:
		return
	case <-limit.C:
		x.end(resultNotConnected)
		return
	case <-x.connected:
	}
	x.m.connect.Observe(time.Since(began).Seconds())
	x.log().Info("WebRTC session connected", "after", time.Since(began).Round(time.Millisecond))
	x.heard.Store(time.Now().UnixNano())
	start()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-x.over:
			return
		case now := <-tick.C:
			if x.kind == whip && now.Sub(time.Unix(0, x.heard.Load())) > closeAfter {
				x.end(resultVanished)
			}
			if x.media.udp.floods(x.peer()) >= mostFlood {
				x.end(resultFlooded)
			}
		}
	}
}

// peer is where the client's datagrams come from now.
func (x *session) peer() netip.AddrPort {
	pair, err := x.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return netip.AddrPort{}
	}
	a, err := netip.ParseAddr(pair.Remote.Address)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, pair.Remote.Port)
}

// guard keeps a fault in one session's media from being everybody's.
func (x *session) guard(do func()) {
	defer func() {
		if r := recover(); r != nil {
			x.log().Error("WebRTC session failed", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			x.end(resultBroken)
		}
	}()
	do()
}

// carry carries the session's sound until ctx ends.
func (x *session) carry(ctx context.Context) {
	if x.kind == whep {
		x.speak(ctx)
		return
	}
	select {
	case t := <-x.tracks:
		x.listen(ctx, t)
	case <-ctx.Done():
	}
}

func (x *session) log() *slog.Logger {
	return x.o.Log.With("kind", string(x.kind), "station", x.claim.Station, "session", x.id[:8], "remote", x.claim.Remote)
}
