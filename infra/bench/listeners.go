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
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"longwave/ingest/pcm"
	"longwave/packager"
)

// A listener is a connection that asks for one part after the other.
type listener struct {
	fd   int
	next int64 // number of the part asked for, since the epoch
	left int   // bytes of the answer under way; 0: none is
}

// A crowd is all listeners of this process. One goroutine serves them by epoll, so
// that as little as possible of what is measured is ours.
type crowd struct {
	host      string
	address   unix.SockaddrInet4
	profile   packager.Profile
	poll      int
	listeners []listener // by what epoll calls them
	buf       []byte
	request   []byte
	waves     map[int64][]time.Time // arrivals, by number of the part
	keep      bool                  // they are counted
	audience  audience
}

// runListeners is the process that waits: an address, how many, and for how many
// waves. It writes "begin", "end" and an [audience].
func runListeners(args []string) error {
	if len(args) != 3 {
		return errors.New("want an address, a number of listeners and a number of waves")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	waves, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	c, err := newCrowd(args[0], n)
	if err != nil {
		return err
	}
	if err := c.gather(n); err != nil {
		return err
	}
	return c.listen(waves)
}

func newCrowd(host string, n int) (*crowd, error) {
	if limit := fileLimit(); limit < uint64(n)+20 {
		return nil, fmt.Errorf("%d files are allowed, too few for %d listeners", limit, n)
	}
	addr, err := net.ResolveTCPAddr("tcp4", host)
	if err != nil {
		return nil, err
	}
	c := &crowd{host: host, buf: make([]byte, 256<<10), waves: map[int64][]time.Time{}}
	c.address.Port = addr.Port
	copy(c.address.Addr[:], addr.IP.To4())
	if c.profile, err = packager.ParseProfile(waitingProfile); err != nil {
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

// gather connects n listeners, some at a time, each of which waits for the part
// under way.
func (c *crowd) gather(n int) error {
	const together = 100
	for len(c.listeners) < n {
		for range min(together, n-len(c.listeners)) {
			if err := c.join(); err != nil {
				return err
			}
		}
		if err := c.serve(time.Now().Add(20 * time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

func (c *crowd) join() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Connect(fd, &c.address), unix.SetNonblock(fd, true)); err != nil {
		return fmt.Errorf("listener %d: %w", len(c.listeners), err)
	}
	c.listeners = append(c.listeners, listener{fd: fd, next: partNumber(time.Now(), c.profile)})
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(c.listeners) - 1)}
	if err := unix.EpollCtl(c.poll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return err
	}
	return c.ask(&c.listeners[event.Fd])
}

// ask sends the request for l.next, as a browser's hls.js would.
func (c *crowd) ask(l *listener) error {
	parts := int64(c.profile.Parts())
	c.request = fmt.Appendf(c.request[:0], "GET /%s/%s/live.m3u8?_HLS_msn=%d&_HLS_part=%d&_HLS_skip=YES HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\n\r\n",
		station, waitingRendition, l.next/parts, l.next%parts, c.host)
	_, err := unix.Write(l.fd, c.request)
	return err
}

// listen waits for waves of answers and reports them.
func (c *crowd) listen(waves int) error {
	begin := partNumber(time.Now(), c.profile) + 2 // the wave before is not counted: it fills the memory
	if err := c.serve(c.pauseBefore(begin)); err != nil {
		return err
	}
	fmt.Println("begin")
	cpu, err := cpuTime(os.Getpid())
	if err != nil {
		return err
	}
	c.keep = true
	if err := c.serve(c.pauseBefore(begin + int64(waves))); err != nil {
		return err
	}
	used, err := cpuTime(os.Getpid())
	if err != nil {
		return err
	}
	c.audience.CPU = used - cpu
	fmt.Println("end")
	for i := range int64(waves) {
		c.audience.Waves = append(c.audience.Waves, describe(c.waves[begin+i], c.end(begin+i)))
	}
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
			if err := c.read(&c.listeners[e.Fd]); err != nil {
				return fmt.Errorf("listener %d: %w", e.Fd, err)
			}
		}
	}
}

// read takes what has come for l. At the end of an answer it asks for the next part.
func (c *crowd) read(l *listener) error {
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
	l.left = 0
	if c.keep {
		c.audience.Answers++
		c.waves[l.next] = append(c.waves[l.next], time.Now())
	}
	l.next++
	return c.ask(l)
}

// length returns how long the answer is that begins with b, headers and all.
func (c *crowd) length(b []byte) (int, error) {
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 200")) {
		c.audience.Bad++
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

// describe describes a wave by its arrivals and the end of its part.
func describe(arrivals []time.Time, end time.Time) wave {
	if len(arrivals) == 0 {
		return wave{}
	}
	slices.SortFunc(arrivals, time.Time.Compare)
	at := func(p float64) time.Duration {
		return arrivals[int(math.Ceil(p/100*float64(len(arrivals))))-1].Sub(end)
	}
	return wave{First: arrivals[0].Sub(end), Last: at(100), Median: at(50), P99: at(99), Answers: len(arrivals)}
}
