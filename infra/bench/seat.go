package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/ingest/whip/whiptest"
)

const (
	otherHz = 1000.0 // who stays
	guestHz = 440.0  // the bed of the ruler at the guest's microphone
)

// A comeback is what acoustic/seat.mjs reports: moments in Unix ms.
type comeback struct {
	On     int64 `json:"on"`
	Killed int64 `json:"killed"`
	Opened int64 `json:"opened"`
	Joined int64 `json:"joined"`
	Ended  int64 `json:"ended"`
}

// measureSeat kills a speaker's browser and lets them come back, while another one
// speaks on. The judge is what listeners got.
func measureSeat(ctx context.Context, b *bench) error {
	begin, err := now()
	if err != nil {
		return err
	}
	ctx, s, err := b.openStage(ctx, nodeOptions{profile: "low", renditions: []string{"opus-48", recorded}})
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := s.enter(ctx, "Stays", whiptest.Voice{Hz: otherHz, Amp: 0.1}, whiptest.Options{}); err != nil {
		return err
	}
	// As music the browser's own noise suppression leaves the tone alone.
	guest, err := b.token(ctx, s.node, "speaker", "Goes", "--music")
	if err != nil {
		return err
	}
	var c comeback
	if err := b.script(ctx, "seat.mjs", map[string]any{"host": s.studio(s.host), "guest": s.studio(guest), "speakers": 2}, &c); err != nil {
		return err
	}
	on, ended := time.UnixMilli(c.On).Add(time.Second), time.UnixMilli(c.Ended)
	r, err := s.record(ctx, on, ended)
	if err != nil {
		return err
	}
	return b.reportSeat(begin, r, on, c)
}

func (b *bench) reportSeat(begin moment, r recording, on time.Time, c comeback) error {
	killed, opened, ended := time.UnixMilli(c.Killed), time.UnixMilli(c.Opened), time.UnixMilli(c.Ended)
	guest := presence(r.span(on, killed), guestHz)
	usual, stays := percentile(guest, 50), percentile(presence(r.span(on, killed), otherHz), 50)
	if usual < 0.01 || stays < 0.01 {
		return fmt.Errorf("before the kill the guest is at %.0f dB, the other at %.0f dB", pcmtest.DB(usual), pcmtest.DB(stays))
	}
	longest, run := 0, 0
	for _, level := range presence(r.span(killed.Add(-time.Second), ended), otherHz) {
		if run++; level > stays/10 {
			run = 0
		}
		longest = max(longest, run)
	}
	b.add(begin, figure{
		Name: "browser killed: gap for the other speaker", Value: float64(longest * presenceStep), Unit: "ms", Target: new(0.0),
		Notes: "their tone in aac-96, from a second before the kill until all is as it was",
	})
	gone := firstAt(presence(r.span(killed, opened), guestHz), func(level float64) bool { return level < usual/10 })
	back := firstAt(presence(r.span(opened, ended), guestHz), func(level float64) bool { return level > usual/3 })
	if gone < 0 || back < 0 {
		return errors.New("the guest did not go, or did not come back")
	}
	sound := opened.Add(back)
	b.add(begin, figure{
		Name: "browser killed: page opened again to sound in the programme", Value: round(back.Seconds(), 2), Unit: "s", Target: new(3.0),
		Notes: fmt.Sprintf("on air at once, nobody pressed but the guest; %.2f s after join; silent %.2f s after the kill", sound.Sub(time.UnixMilli(c.Joined)).Seconds(), gone.Seconds()),
	})
	return nil
}

// presenceStep is the distance of levels in ms.
const presenceStep = 10

// presence returns the amplitude of a tone every 10 ms, each over 20 ms.
func presence(x []float32, hz float64) []float64 {
	const step = presenceStep * pcm.Rate / 1000 * pcm.Channels
	var levels []float64
	for i := 0; i+2*step <= len(x); i += step {
		levels = append(levels, pcmtest.Goertzel(x[i:i+2*step], 0, hz))
	}
	return levels
}

// firstAt returns when a level is the first one of 200 ms of levels that are such, or
// a negative time.
func firstAt(levels []float64, such func(float64) bool) time.Duration {
	const least = 200 / presenceStep
	run := 0
	for i, level := range levels {
		if !such(level) {
			run = 0
			continue
		}
		if run++; run == least {
			return time.Duration(i+1-least) * presenceStep * time.Millisecond
		}
	}
	return -1
}
