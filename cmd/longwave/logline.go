package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// A logLine writes the log for everybody else: whoever logs never waits for a terminal that
// is stopped (Ctrl-S), a pipe that nobody reads or a journal that hangs. What does not fit
// is left out and counted in a line of its own.
type logLine struct {
	w     io.Writer
	lines chan []byte
	lost  atomic.Int64
	end   chan struct{}
	ended chan struct{}
}

// logLines is how many lines may wait: minutes of a busy node.
const logLines = 4096

// openLogLine begins to write to w.
func openLogLine(w io.Writer) *logLine {
	l := &logLine{w: w, lines: make(chan []byte, logLines), end: make(chan struct{}), ended: make(chan struct{})}
	go l.run()
	return l
}

// Write implements io.Writer. It takes whole lines, as slog gives them, and never fails.
func (l *logLine) Write(line []byte) (int, error) {
	select {
	case l.lines <- append([]byte(nil), line...):
	default:
		l.lost.Add(1)
	}
	return len(line), nil
}

func (l *logLine) run() {
	defer close(l.ended)
	for {
		select {
		case line := <-l.lines:
			l.put(line)
		case <-l.end:
			for { // what is there already
				select {
				case line := <-l.lines:
					l.put(line)
				default:
					return
				}
			}
		}
	}
}

func (l *logLine) put(line []byte) {
	_, _ = l.w.Write(line) // there is nobody to tell
	if n := l.lost.Swap(0); n > 0 {
		_, _ = fmt.Fprintf(l.w, "longwave: %d lines of the log are missing here: nobody read it\n", n)
	}
}

// close waits until what was logged is written, but not for long. What is logged later, by
// libraries that are still at something, is lost.
func (l *logLine) close() {
	close(l.end)
	select {
	case <-l.ended:
	case <-time.After(time.Second):
	}
}
