package steer

import (
	"context"
	"encoding/json"
	"time"
)

// A Keeper keeps the history and the operator's hand over a restart.
type Keeper interface {
	// Load returns what was saved, nil when nothing was.
	Load(ctx context.Context) ([]byte, error)
	Save(ctx context.Context, data []byte) error
}

// saved is what a restart finds.
type saved struct {
	Hands   map[string]Hand `json:"hands"`
	History []Change        `json:"history"`
}

const (
	// keepEvery bounds how often the history is kept, or looked for.
	keepEvery = 5 * time.Second
	// recallTime and saveTime bound what a store may take at the beginning and at the end.
	recallTime = time.Second
	saveTime   = 2 * time.Second
)

// recall recalls the hands and the history of the run before, but for hands that were laid
// in this one. It is false when the keeper fails: what it has is not known then.
func (s *Steerer) recall(ctx context.Context) bool {
	if s.opt.Keeper == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, recallTime)
	defer cancel()
	data, err := s.opt.Keeper.Load(ctx)
	if err != nil {
		s.opt.Log.WarnContext(ctx, "what was decided on pathways is not known yet: the probes decide", "err", err)
		return false
	}
	var past saved
	if len(data) > 0 {
		if err := json.Unmarshal(data, &past); err != nil {
			s.opt.Log.ErrorContext(ctx, "what was decided on pathways cannot be read: the probes decide, look at the hands in the studio", "err", err)
			return true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history = append(past.History, s.history...)
	s.history = s.history[max(0, len(s.history)-historyKept):]
	for id, h := range past.Hands {
		if _, ok := s.hands[id]; ok && !s.laid[id] {
			s.hands[id] = h
		}
	}
	return true
}

// keep saves what changes, and once more at the end. Before what was saved is recalled it
// saves nothing: that would be lost.
func (s *Steerer) keep(ctx context.Context, recalled bool) {
	if s.opt.Keeper == nil {
		return
	}
	for !recalled {
		if !pause(ctx, keepEvery) {
			return
		}
		if recalled = s.recall(ctx); recalled {
			s.publish(false)
			s.publish(true)
		}
	}
	failing := false
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-s.kept:
			err := s.save(ctx)
			if err != nil {
				s.changed() // again
				if !failing {
					s.opt.Log.WarnContext(ctx, "the history of the pathways cannot be kept: a restart would forget the operator's hand", "err", err)
				}
			}
			failing = err != nil
			pause(ctx, keepEvery)
		}
	}
	select {
	case <-s.kept:
		if err := s.save(ctx); err != nil {
			s.opt.Log.WarnContext(ctx, "what was decided on pathways last is not kept", "err", err)
		}
	default:
	}
}

// save saves, also when ctx has ended: the node goes on air again with what is saved.
func (s *Steerer) save(ctx context.Context) error {
	s.mu.Lock()
	data, err := json.Marshal(saved{s.hands, s.history})
	s.mu.Unlock()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	return s.opt.Keeper.Save(ctx, data)
}

// changed notes that there is something to be kept.
func (s *Steerer) changed() {
	select {
	case s.kept <- struct{}{}:
	default:
	}
}

// pause waits; it is false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
