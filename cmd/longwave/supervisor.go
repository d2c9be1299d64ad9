package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// A supervisor is who started us and asks to hear how we are: systemd, with Type=notify
// (sd_notify(3)). Without one nothing is said to anybody.
type supervisor struct {
	say   func(state string)
	watch time.Duration // how long we may be silent before we are ended; 0: for ever
}

// newSupervisor reads from the environment whether there is one.
func newSupervisor(log *slog.Logger) supervisor {
	watch, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("WATCHDOG_USEC and WATCHDOG_PID: the watchdog is told nothing", "err", err)
	}
	return supervisor{watch: watch, say: func(state string) {
		if _, err := daemon.SdNotify(false, state); err != nil {
			log.Warn("the supervisor was not told", "state", state, "err", err)
		}
	}}
}

// superviseLook is how often it is looked whether we are well.
const superviseLook = 100 * time.Millisecond

// tell says that we are ready when well says so for the first time, from then on that
// we are alive as long as it does, and that we end when stop is closed.
func (s supervisor) tell(ctx context.Context, stop <-chan struct{}, well func() bool) {
	ticks := time.NewTicker(superviseLook)
	defer ticks.Stop()
	ready, last := false, time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-stop:
			s.say(daemon.SdNotifyStopping)
			return
		case now := <-ticks.C:
			if !well() {
				continue
			}
			if !ready {
				ready = true
				s.say(daemon.SdNotifyReady)
			}
			if s.watch > 0 && now.Sub(last) >= s.watch/4 {
				last = now
				s.say(daemon.SdNotifyWatchdog)
			}
		}
	}
}

// onAir reports whether the live edge of every station moves, and if not of which it
// does not.
func (n *face) onAir() (station string, moves bool) {
	for _, s := range n.cfg.Stations {
		if age, ok := n.live.Age(s.Name); !ok || age > stuck {
			return s.Name, false
		}
	}
	return "", true
}
