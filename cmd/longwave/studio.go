package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"longwave/cmd/longwave/config"
	"longwave/ingest/broadcast"
	"longwave/ingest/studio"
	"longwave/ingest/studio/page"
)

// recallTime is how long the start waits for what the store knows of broadcasts and of
// links that were taken back.
const recallTime = 5 * time.Second

// openShow makes the life of a station, and recalls what it was before a restart.
func (n *node) openShow(ctx context.Context, s *station, reg prometheus.Registerer) {
	desk := s.programme.Desk()
	s.show = broadcast.New(broadcast.Options{
		Station: s.cfg.Name, Desk: desk, Seats: desk, Keeper: keeper{n.storage.main()}, Began: desk.ResetLoudness,
		Log: n.log.With("station", s.cfg.Name), Registry: reg,
	})
	ctx, cancel := context.WithTimeout(ctx, recallTime)
	defer cancel()
	if err := s.show.Load(ctx); err != nil {
		n.log.Error("what is announced is not known yet: trying again", "station", s.cfg.Name, "err", err)
	}
}

// revoked reports that a token was taken back.
func (n *node) revoked(id string) bool {
	for _, s := range n.stations {
		if s.show.Revoked(id) {
			return true
		}
	}
	return false
}

// openStudio makes the API that hosts and speakers use.
func (n *node) openStudio() error {
	twins, err := n.cfg.Others()
	if err != nil {
		return usageError{err}
	}
	o := studio.Options{Tokens: n.signer, Public: n.cfg.Public, Twins: twins, Log: n.log, Registry: n.registry}
	for _, s := range n.cfg.RTC.ICEServers {
		credential, err := config.ReadSecret(s.CredentialFile)
		if err != nil {
			return usageError{fmt.Errorf("rtc.ice_servers %s: %w", s.URL, err)}
		}
		o.ICEServers = append(o.ICEServers, studio.ICEServer{URLs: []string{s.URL}, Username: s.Username, Credential: credential})
	}
	for _, s := range n.stations {
		st := studio.Station{
			Name: s.cfg.Name, Title: s.cfg.Title, Desk: s.programme.Desk(), Show: s.show, Meters: s.programme.Meters,
			Push:   func(token string) map[string]string { return n.pushAddresses(s.cfg.Name, token) },
			Alarms: func() []studio.Alarm { return n.alarms(s) },
		}
		if s.steerer != nil {
			st.Pathways = pathwayDesk{s.steerer}
		}
		o.Stations = append(o.Stations, st)
	}
	n.studio = studio.New(o)
	return nil
}

// studioRoutes mounts the API and the studio's pages.
func (n *node) studioRoutes(r chi.Router) error {
	n.studio.Routes(r)
	twins, err := n.cfg.Others()
	if err != nil {
		return err
	}
	for _, s := range n.cfg.Stations {
		h, err := page.Handler(page.Station{Name: s.Name, Title: s.Title, Twins: twins})
		if err != nil {
			return err
		}
		r.Handle("/studio/"+s.Name, h)
		r.Handle("/studio/"+s.Name+"/*", h)
	}
	return nil
}

// pushAddresses are where the holder of a token may push sound.
func (n *node) pushAddresses(station, token string) map[string]string {
	public, err := url.Parse(n.cfg.Public)
	if err != nil {
		return nil
	}
	at := map[string]string{"icecast": "icecast://source:" + token + "@" + public.Host + "/ice/" + station}
	if n.inputs.whip != nil {
		at["whip"] = n.cfg.Public + "/whip/" + station
	}
	if n.inputs.rtmp != nil {
		at["rtmp"] = "rtmp://" + withPort(public.Hostname(), n.inputs.rtmp.Addr()) + "/live/" + token
	}
	if n.inputs.srt != nil {
		at["srt"] = "srt://" + withPort(public.Hostname(), n.inputs.srt.Addr()) + "?streamid=" + token
	}
	return at
}

// withPort is the public host with the port of one of our own addresses.
func withPort(host string, addr net.Addr) string {
	_, port, err := net.SplitHostPort(addr.String())
	switch {
	case err == nil && port != "1935": // RTMP's own
		return net.JoinHostPort(host, port)
	case strings.Contains(host, ":"):
		return "[" + host + "]"
	}
	return host
}

// tooLate is how late the programme is when the host should know.
const tooLate = time.Second

// alarms are what the host should know besides the sound.
func (n *node) alarms(s *station) []studio.Alarm {
	age, ok := n.live.Age(s.cfg.Name)
	if ok && age <= stuck {
		var all []studio.Alarm
		if a, bad := s.pathwayAlarm(); bad {
			all = append(all, a)
		}
		if s.programme.Late() >= tooLate {
			all = append(all, studio.Alarm{Kind: studio.AlarmLate, Grade: studio.GradeWarn, Text: "Listeners hear everything more than a second later than they should: the server is too busy."})
		}
		return all
	}
	a := studio.Alarm{Kind: studio.AlarmEdge, Grade: studio.GradeAlarm, Text: "Listeners get nothing new: the live edge does not move."}
	if ok {
		a.Since = time.Now().Add(-age)
	}
	return []studio.Alarm{a}
}
