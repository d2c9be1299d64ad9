package whip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v3"
	"github.com/pion/turn/v5"
)

const (
	// askEvery is how often ICE servers are asked whether they would serve a client.
	askEvery = 5 * time.Minute
	// askWithin bounds one such question.
	askWithin = 10 * time.Second
)

// ParseICEServer reports what is wrong with the address of an ICE server: RFC 7064,
// RFC 7065.
func ParseICEServer(url string) error {
	_, err := stun.ParseURI(url)
	return err
}

// askICEServers asks each server from here, as a client would ask it from elsewhere,
// until ctx ends: with wrong credentials or a dead server clients would fail without
// anybody's being told. It logs what changes.
func (s *Server) askICEServers(ctx context.Context) {
	last := map[string]string{} // why not, by URL
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		down := 0
		for _, x := range s.o.ICEServers {
			err := x.ask(ctx)
			if ctx.Err() != nil {
				return
			}
			why := ""
			if err != nil {
				why = err.Error()
				down++
			}
			if before, asked := last[x.URL]; asked && before == why {
				continue
			}
			last[x.URL] = why
			if err != nil {
				s.o.Log.Warn("an ICE server does not serve: speakers who need it cannot come in", "url", x.URL, "err", err)
			} else {
				s.o.Log.Info("ICE server serves", "url", x.URL)
			}
		}
		s.m.iceDown.Set(float64(down))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// errCredentials means that a TURN server does not take the username or the password.
var errCredentials = errors.New("it refuses this username and password")

// ask asks a STUN server for an address and a TURN server for an allocation, which is
// given back.
func (x ICEServer) ask(ctx context.Context) error {
	uri, err := stun.ParseURI(x.URL)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	conn, err := dialICEServer(ctx, uri)
	if err != nil {
		return err
	}
	at := net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))
	c, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: at, TURNServerAddr: at, Username: x.Username, Password: x.Credential, Conn: conn,
		RequestedAddressFamily: turn.RequestedAddressFamilyIPv4,
		LoggerFactory:          &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled},
	})
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	defer c.Close()
	if err := c.Listen(); err != nil {
		return err
	}
	if uri.Scheme == stun.SchemeTypeSTUN || uri.Scheme == stun.SchemeTypeSTUNS {
		_, err = c.SendBindingRequest()
		return err
	}
	relay, err := c.Allocate()
	if refused, ok := errors.AsType[*stun.TurnError](err); ok && refused.ErrorCodeAttr.Code == stun.CodeUnauthorized {
		return fmt.Errorf("%w (%w)", errCredentials, err)
	}
	if err != nil {
		return err
	}
	return relay.Close()
}

// dialICEServer opens what a server is spoken to by.
func dialICEServer(ctx context.Context, uri *stun.URI) (net.PacketConn, error) {
	at := net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))
	if uri.Proto != stun.ProtoTypeTCP && !uri.IsSecure() {
		to, err := net.ResolveUDPAddr("udp", at)
		if err != nil {
			return nil, err
		}
		network := "udp6"
		if to.IP.To4() != nil {
			network = "udp4"
		}
		return new(net.ListenConfig).ListenPacket(ctx, network, ":0")
	}
	var d interface {
		DialContext(context.Context, string, string) (net.Conn, error)
	} = &net.Dialer{}
	if uri.IsSecure() {
		d = &tls.Dialer{}
	}
	c, err := d.DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, err
	}
	return turn.NewSTUNConn(c), nil
}
