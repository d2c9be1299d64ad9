package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"longwave/ingest/pcm"
	"longwave/packager"
)

// An order is what a process of listeners is told, as JSON.
type order struct {
	Server string `json:"server"` // host:port
	// Witness is the host:port of the origin behind the server. There one more listener a
	// rendition tells when the origin answered. Empty: none.
	Witness    string   `json:"witness"`
	Profile    string   `json:"profile"`
	Renditions []string `json:"renditions"` // listeners have them in turn
	Listeners  int      `json:"listeners"`
	Settle     int      `json:"settle"` // waves that do not count, after the first
	Waves      int      `json:"waves"`
	// Parts has every listener fetch each part on a second connection, as soon as the
	// playlist names it, as hls.js does.
	Parts bool `json:"parts"`
}

// What a line asks for.
const (
	forPlaylist = iota
	forPart
	forWitness // a playlist, of the origin
)

// A line is a connection that asks for one part after the other, or for the playlist
// that names it.
type line struct {
	fd        int
	asks      int
	rendition int
	next      int64 // number of the part, since the epoch
	named     int64 // of the newest part that may be asked for
	left      int   // bytes of the answer under way; 0: none is
	asked     bool
	parts     int // the line on which the same listener fetches parts; 0: none
}

// A crowd is all listeners of this process. One goroutine serves them by epoll, so
// that as little as possible of what is measured is ours.
type crowd struct {
	order
	profile  packager.Profile
	poll     int
	lines    []line // by what epoll calls them; the first is nobody's
	buf      []byte
	request  []byte
	arrivals map[arrival][]time.Time
	keep     bool // they are counted
	audience audience
}

// An arrival is a part, or the playlist that names it, as listeners get it.
type arrival struct {
	asks, rendition int
	number          int64
}

// runListeners is the process that waits. It is told an order, and writes "begin", "end"
// and an [audience].
func runListeners(args []string) error {
	if len(args) != 1 {
		return errors.New("want an order")
	}
	var o order
	if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
		return err
	}
	runtime.LockOSThread()
	c, err := newCrowd(o)
	if err != nil {
		return err
	}
	if err := c.gather(); err != nil {
		return err
	}
	return c.listen()
}

func newCrowd(o order) (*crowd, error) {
	if limit := fileLimit(); limit < uint64(2*o.Listeners)+20 && (o.Parts || limit < uint64(o.Listeners)+20) {
		return nil, fmt.Errorf("%d files are allowed, too few for %d listeners", limit, o.Listeners)
	}
	c := &crowd{order: o, lines: make([]line, 1), buf: make([]byte, 256<<10), arrivals: map[arrival][]time.Time{}}
	var err error
	if c.profile, err = packager.ParseProfile(o.Profile); err != nil {
		return nil, err
	}
	c.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return c, err
}

// partNumber counts the parts since the epoch.
func partNumber(t time.Time, p packager.Profile) int64 { return int64(pcm.At(t) / p.PartSamples) }

// end is when the last sample of a part is at the input.
func (c *crowd) end(number int64) time.Time {
	parts := int64(c.profile.Parts())
	return partEnd(number/parts, int(number%parts), c.profile)
}

// gather connects the listeners, some at a time, each of which waits for the part
// under way.
func (c *crowd) gather() error {
	const together = 100
	if c.Witness != "" {
		for r := range c.Renditions {
			if _, err := c.join(c.Witness, line{asks: forWitness, rendition: r}); err != nil {
				return err
			}
		}
	}
	for i := range c.Listeners {
		l := line{asks: forPlaylist, rendition: i % len(c.Renditions)}
		if c.Parts {
			var err error
			if l.parts, err = c.join(c.Server, line{asks: forPart, rendition: l.rendition}); err != nil {
				return fmt.Errorf("listener %d: %w", i, err)
			}
		}
		if _, err := c.join(c.Server, l); err != nil {
			return fmt.Errorf("listener %d: %w", i, err)
		}
		if i%together == together-1 {
			if err := c.serve(time.Now().Add(20 * time.Millisecond)); err != nil {
				return err
			}
		}
	}
	return nil
}

// join connects a line and returns its number. One for parts asks for nothing yet.
func (c *crowd) join(server string, l line) (int, error) {
	addr, err := net.ResolveTCPAddr("tcp4", server)
	if err != nil {
		return 0, err
	}
	to := unix.SockaddrInet4{Port: addr.Port}
	copy(to.Addr[:], addr.IP.To4())
	if l.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, err
	}
	if err := errors.Join(unix.Connect(l.fd, &to), unix.SetNonblock(l.fd, true)); err != nil {
		return 0, err
	}
	l.next = partNumber(time.Now(), c.profile)
	n := len(c.lines)
	c.lines = append(c.lines, l)
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(n)}
	if err := unix.EpollCtl(c.poll, unix.EPOLL_CTL_ADD, l.fd, &event); err != nil {
		return 0, err
	}
	if l.asks == forPart {
		return n, nil
	}
	return n, c.ask(&c.lines[n])
}

// ask sends the request for l.next, as a browser's hls.js would.
func (c *crowd) ask(l *line) error {
	parts := int64(c.profile.Parts())
	msn, part := l.next/parts, l.next%parts
	c.request = fmt.Appendf(c.request[:0], "GET /%s/%s/", station, c.Renditions[l.rendition])
	if l.asks == forPart {
		c.request = fmt.Appendf(c.request, "%d.%d.m4s", msn, part)
	} else {
		c.request = fmt.Appendf(c.request, "live.m3u8?_HLS_msn=%d&_HLS_part=%d&_HLS_skip=YES", msn, part)
	}
	c.request = fmt.Appendf(c.request, " HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\n\r\n", c.Server)
	l.asked = true
	_, err := unix.Write(l.fd, c.request)
	return err
}

// listen waits for waves of answers and reports them.
func (c *crowd) listen() error {
	waves := int64(c.Waves)
	begin := partNumber(time.Now(), c.profile) + 2 + int64(c.Settle) // what comes before fills the memory
	if err := c.serve(c.pauseBefore(begin)); err != nil {
		return err
	}
	fmt.Println("begin")
	cpu, err := cpuTime(os.Getpid())
	if err != nil {
		return err
	}
	c.keep = true
	if err := c.serve(c.pauseBefore(begin + waves)); err != nil {
		return err
	}
	used, err := cpuTime(os.Getpid())
	if err != nil {
		return err
	}
	c.audience.CPU = used - cpu
	fmt.Println("end")
	c.sum(begin)
	return json.NewEncoder(os.Stdout).Encode(c.audience)
}

// pauseBefore is a moment before the wave of a part when the one before is long over.
func (c *crowd) pauseBefore(number int64) time.Time {
	return c.end(number).Add(-100 * time.Millisecond)
}

// serve takes answers until then.
func (c *crowd) serve(until time.Time) error {
	events := make([]unix.EpollEvent, 512)
	for {
		left := time.Until(until)
		if left <= 0 {
			return nil
		}
		n, err := unix.EpollWait(c.poll, events, int(math.Ceil(millis(left))))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			if err := c.read(&c.lines[e.Fd]); err != nil {
				return fmt.Errorf("connection %d: %w", e.Fd, err)
			}
		}
	}
}

// read takes what has come for l. At the end of an answer it asks for the next part.
func (c *crowd) read(l *line) error {
	n, err := unix.Read(l.fd, c.buf)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil:
		return err
	case n == 0:
		return errors.New("the server closed the connection")
	}
	if l.left == 0 {
		if l.left, err = c.length(c.buf[:n]); err != nil {
			return err
		}
	}
	if l.left -= n; l.left > 0 {
		return nil
	}
	l.left, l.asked = 0, false
	return c.answered(l)
}

// answered counts an answer and asks for what comes next: for the part, if l is a
// playlist that names it, and for the next playlist.
func (c *crowd) answered(l *line) error {
	if c.keep {
		if l.asks != forWitness {
			c.audience.Answers++
		}
		at := arrival{l.asks, l.rendition, l.next}
		c.arrivals[at] = append(c.arrivals[at], time.Now())
	}
	l.next++
	if l.asks == forPart {
		if l.next > l.named {
			return nil
		}
		return c.ask(l)
	}
	if l.parts != 0 {
		p := &c.lines[l.parts]
		if p.named == 0 {
			p.next = l.next - 1
		}
		p.named = l.next - 1
		if !p.asked {
			if err := c.ask(p); err != nil {
				return err
			}
		}
	}
	return c.ask(l)
}

// length returns how long the answer is that begins with b, headers and all.
func (c *crowd) length(b []byte) (int, error) {
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 200")) {
		if c.audience.Bad++; c.audience.Bad == 1 {
			c.audience.FirstBad, _, _ = strings.Cut(string(b), "\r\n")
		}
	}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	_, after, ok := bytes.Cut(b, []byte("\r\nContent-Length: "))
	value, _, _ := bytes.Cut(after, []byte("\r\n"))
	n, err := strconv.Atoi(string(value))
	if end < 0 || !ok || err != nil {
		return 0, fmt.Errorf("an answer without a length: %.200q", b)
	}
	if c.keep {
		c.audience.Bytes += int64(n)
	}
	return end + 4 + n, nil
}
