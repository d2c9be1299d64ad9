package listen

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os/exec"
	"slices"
	"strings"
	"time"

	"longwave/packager/hls/hlstest"
)

// A Sound is the level of what was decoded, in dBFS, and its silences. A full-scale
// square wave in one channel is 0, nothing at all -120; the power of channels is
// added, as R 128 does.
type Sound struct {
	Decoded Millis  `json:"decoded_ms"`
	Median  float64 `json:"median_dbfs"` // RMS of 400 ms, the median of all
	Loudest float64 `json:"loudest_dbfs"`
	// Silence is the longest time below -60 dBFS.
	Silence Millis `json:"silence_ms"`
}

const (
	soundRate  = 48_000
	blockLen   = soundRate / 10 * 2 // 100 ms of interleaved stereo
	blockTime  = 100 * time.Millisecond
	blocksRMS  = 4 // in a momentary level
	floor      = -120.0
	quiet      = -60.0
	tooQuiet   = 5 * time.Second
	soundGrace = 3 * time.Second // for ffmpeg to end
)

// A sound decodes a rendition by ffmpeg and measures it. One goroutine writes.
type sound struct {
	child *child
	meter meter
	said  string // the first complaint of a decoder
}

// A child is a running ffmpeg.
type child struct {
	cancel context.CancelFunc
	in     io.WriteCloser
	said   bytes.Buffer
	done   chan error // its end, once its output was read
	broken bool       // it takes nothing more
}

// open begins anew with an init segment.
func (s *sound) open(ctx context.Context, init []byte) {
	s.close()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it ends with its input
	cmd := exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-protocol_whitelist", "pipe",
		"-f", "mp4", "-i", "pipe:0", "-f", "f32le", "-ac", "2", "-ar", fmt.Sprint(soundRate), "pipe:1")
	c := &child{cancel: cancel, done: make(chan error, 1)}
	cmd.Stderr = &limited{w: &c.said, left: 4096}
	var err error
	if c.in, err = cmd.StdinPipe(); err == nil {
		var out io.ReadCloser
		if out, err = cmd.StdoutPipe(); err == nil {
			if err = cmd.Start(); err == nil {
				s.child = c
				go func() {
					s.meter.read(out)
					c.done <- cmd.Wait()
				}()
				s.write(ctx, init)
				return
			}
		}
	}
	cancel()
	s.said = fmt.Sprintf("ffmpeg does not start: %v", err)
}

// write decodes a segment.
func (s *sound) write(ctx context.Context, b []byte) {
	if s.child == nil || s.child.broken || ctx.Err() != nil {
		return
	}
	if _, err := s.child.in.Write(b); err != nil {
		s.child.broken = true
	}
}

// close waits until everything is decoded.
func (s *sound) close() {
	c := s.child
	if c == nil {
		return
	}
	s.child = nil
	defer c.cancel()
	_ = c.in.Close()
	timeout := time.NewTimer(soundGrace)
	defer timeout.Stop()
	var err error
	select {
	case err = <-c.done:
	case <-timeout.C:
		c.cancel()
		<-c.done
		err = fmt.Errorf("it did not end within %v", soundGrace)
	}
	text, _, _ := strings.Cut(strings.TrimSpace(c.said.String()), "\n")
	if s.said == "" && (err != nil || text != "") {
		s.said = strings.TrimSpace(fmt.Sprintf("ffmpeg: %s %v", text, errOrNothing(err)))
	}
}

func errOrNothing(err error) string {
	if err == nil {
		return ""
	}
	return "(" + err.Error() + ")"
}

// A limited writer takes everything and keeps the beginning.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), l.left)
	l.left -= n
	if _, err := l.w.Write(b[:n]); err != nil {
		return 0, err
	}
	return len(b), nil
}

// A meter measures interleaved stereo samples.
type meter struct {
	blocks  int
	recent  []float64 // energy of the newest blocks
	levels  map[int]int
	loudest float64
	run     int // blocks of silence up to now
	longest int
}

// read measures r to its end.
func (m *meter) read(r io.Reader) {
	buf := make([]byte, blockLen*4)
	for {
		if _, err := io.ReadFull(r, buf); err != nil {
			return // what is shorter than a block does not count
		}
		var energy float64
		for i := 0; i < len(buf); i += 4 {
			v := float64(math.Float32frombits(binary.LittleEndian.Uint32(buf[i:])))
			energy += v * v
		}
		m.add(energy / (blockLen / 2))
	}
}

// add takes the mean energy of the next block.
func (m *meter) add(energy float64) {
	if m.levels == nil {
		m.levels, m.loudest = map[int]int{}, floor
	}
	m.blocks++
	if dB(energy) < quiet {
		m.run++
		m.longest = max(m.longest, m.run)
	} else {
		m.run = 0
	}
	if m.recent = append(m.recent, energy); len(m.recent) < blocksRMS {
		return
	}
	m.recent = m.recent[len(m.recent)-blocksRMS:]
	var sum float64
	for _, e := range m.recent {
		sum += e
	}
	level := dB(sum / blocksRMS)
	m.loudest = max(m.loudest, level)
	m.levels[int(math.Round(level*10))]++
}

// dB returns the level of a mean energy.
func dB(energy float64) float64 {
	if energy <= 0 || math.IsNaN(energy) {
		return floor
	}
	return max(floor, 10*math.Log10(energy))
}

// result is what was measured; nothing may be decoding any more.
func (s *sound) result() *Sound {
	m := &s.meter
	r := &Sound{Decoded: Millis(time.Duration(m.blocks) * blockTime), Median: floor, Loudest: floor, Silence: Millis(time.Duration(m.longest) * blockTime)}
	var levels []int
	n := 0
	for l, count := range m.levels {
		levels = append(levels, l)
		n += count
	}
	if n == 0 {
		return r
	}
	slices.Sort(levels)
	seen := 0
	for _, l := range levels {
		if seen += m.levels[l]; seen*2 >= n {
			r.Median = float64(l) / 10
			break
		}
	}
	r.Loudest = math.Round(m.loudest*10) / 10
	return r
}

// judge applies the rules about sound.
func (s *sound) judge() []hlstest.Violation {
	var found []hlstest.Violation
	if s.said != "" {
		found = append(found, broken("undecodable", "%s", s.said))
	}
	if silent := time.Duration(s.meter.longest) * blockTime; silent > tooQuiet {
		found = append(found, broken("silence", "%v below %.0f dBFS", silent, quiet))
	}
	return found
}
