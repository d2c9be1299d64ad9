package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"strings"

	"longwave/cmd/longwave/config"
	"longwave/ingest/hold"
)

// openHolds makes what each station plays when nobody speaks.
func openHolds(ctx context.Context, stations []config.Station) ([]*hold.Loop, error) {
	holds := make([]*hold.Loop, len(stations))
	for i, s := range stations {
		if s.Hold == "" {
			holds[i] = hold.Bundled()
			continue
		}
		samples, err := readSound(ctx, s.Hold)
		if err == nil {
			holds[i], err = hold.New(samples)
		}
		if err != nil {
			return nil, usageError{fmt.Errorf("station %q, hold %s: %w", s.Name, s.Hold, err)}
		}
	}
	return holds, nil
}

// readSound decodes a sound file of the operator's, as far as a hold may be long.
func readSound(ctx context.Context, path string) ([]float32, error) {
	longest := fmt.Sprintf("%.3f", hold.Longest.Seconds())
	cmd := exec.CommandContext(ctx, "ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-protocol_whitelist", "file",
		"-t", longest, "-i", "file:"+path, "-map", "0:a:0", "-f", "f32le", "-ac", "2", "-ar", "48000", "pipe:1")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		return nil, errors.New("ffmpeg cannot read it: " + line)
	}
	samples := make([]float32, len(out)/4)
	for i := range samples {
		samples[i] = math.Float32frombits(binary.LittleEndian.Uint32(out[4*i:]))
	}
	return samples, nil
}
