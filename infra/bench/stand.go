package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
)

// A stand is what a test is to the packages that run other people's programs for tests:
// caches, an S3 server, networks. It has folders and an end, and takes their complaints.
type stand struct {
	testing.TB                 // nil: they ask for nothing but what is here
	ctx        context.Context //nolint:containedctx // testing.TB gives it out
	b          *bench

	mu    sync.Mutex
	after []func()
	wrong []error
}

// onStand runs what needs such programs, which end when it does; as does its context.
func (b *bench) onStand(ctx context.Context, measure func(testing.TB) error) error {
	var err error
	s := &stand{b: b}
	done := make(chan struct{})
	go func() { // of its own: Fatal ends it
		defer close(done)
		defer s.clean()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s.ctx = ctx
		err = measure(s)
	}()
	<-done
	return errors.Join(append(s.wrong, err)...)
}

// clean does what was put off, the last first; one that gives up keeps none back.
func (s *stand) clean() {
	s.mu.Lock()
	n := len(s.after)
	if n == 0 {
		s.mu.Unlock()
		return
	}
	last := s.after[n-1]
	s.after = s.after[:n-1]
	s.mu.Unlock()
	defer s.clean()
	last()
}

// Helper implements testing.TB, as do the others.
func (s *stand) Helper() {}

// Name is what messages call it.
func (s *stand) Name() string { return "bench" }

// Context ends before what Cleanup was told is done.
func (s *stand) Context() context.Context { return s.ctx }

// Output takes what programs say.
func (s *stand) Output() io.Writer { return os.Stderr }

// Cleanup puts f off until the end.
func (s *stand) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = append(s.after, f)
}

// TempDir returns a new folder.
func (s *stand) TempDir() string {
	dir, err := os.MkdirTemp(s.b.tmp, "stand")
	if err != nil {
		s.Fatal(err)
	}
	return dir
}

// Failed reports whether anything complained.
func (s *stand) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.wrong) > 0
}

func (s *stand) complain(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong = append(s.wrong, errors.New(text))
}

// Log says something.
func (s *stand) Log(args ...any) { s.b.say("%s", fmt.Sprint(args...)) }

// Logf says something.
func (s *stand) Logf(format string, args ...any) { s.b.say(format, args...) }

// Error complains.
func (s *stand) Error(args ...any) { s.complain(fmt.Sprint(args...)) }

// Errorf complains.
func (s *stand) Errorf(format string, args ...any) { s.complain(fmt.Sprintf(format, args...)) }

// Fatal complains and gives up.
func (s *stand) Fatal(args ...any) {
	s.complain(fmt.Sprint(args...))
	runtime.Goexit()
}

// Fatalf complains and gives up.
func (s *stand) Fatalf(format string, args ...any) {
	s.complain(fmt.Sprintf(format, args...))
	runtime.Goexit()
}
