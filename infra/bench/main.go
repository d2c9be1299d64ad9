// Command bench measures what Longwave promises, on the machine where it runs and
// beside whatever else runs there:
//
//	bench                    everything, in three quarters of an hour
//	bench -only requests     a group, or several with commas
//
// Each group starts the real program, loads it with programs of its own in other
// processes, and reads what the kernel says each of them used. A figure is printed
// with its target and with the CPU that the rest of the machine used meanwhile.
//
// The exit code is 0 when everything could be measured, also where a target was
// missed, and 1 when something could not.
//
// This package does not test: nothing here decides whether a change is good.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A group is some figures that are measured together.
type group struct {
	name  string
	about string
	run   func(context.Context, *bench) error
}

var groups = []group{
	{"start", "from the start of serve to a playlist that plays", measureStart},
	{"requests", "CPU a request, beside nginx and a bare net/http server", measureRequests},
	{"waiting", "10,000 listeners in blocking reloads", measureWaiting},
	{"ladder", "CPU of the default ladder, beside ffmpeg", measureLadder},
	{"frames", "the 20 ms path and what it is made of, as Go benchmarks", measureFrames},
	{"low", "mouth to ear, live edge and memory with profile low", measureLow},
	{"fast", "mouth to ear, live edge and memory with profile fast", measureFast},
	{"edges", "requests, delay and mouth to ear behind a real Varnish", measureEdges},
	{"studio", "a speaker's mouth to other ears, through the studio", measureStudio},
	{"voices", "own voice in own return, and how loud two voices are", measureVoices},
	{"network", "clocks that drift and packets that get lost", measureNetwork},
	{"eight", "8 speakers with returns, alone and beside CPU hogs", measureEight},
	{"seat", "a speaker's browser is killed and comes back", measureSeat},
	{"faults", "what a listener hears when a CDN, a node or all origins die", measureFaults},
	{"players", "the same with other people's players as they come, beside ours", measurePlayers},
}

// A bench is one run.
type bench struct {
	root   string // of the project
	tmp    string // for everything that the servers keep
	report report
	group  string
}

// parts of this program that run as processes of their own.
var processesOfOurs = map[string]func(args []string) error{
	"listeners": runListeners,
	"bare":      runBare,
}

func main() {
	if len(os.Args) > 1 && processesOfOurs[os.Args[1]] != nil {
		if err := processesOfOurs[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintf(os.Stderr, "bench %s: %v\n", os.Args[1], err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "groups to measure, with commas; default all:\n"+describeGroups())
	out := flags.String("out", "bench", "`folder` for the figures as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "longwave-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	b := &bench{root: root, tmp: tmp, report: report{At: time.Now(), Machine: describeMachine(), Commit: commit(ctx)}}
	b.runGroups(ctx, chosen)
	return b.finish(*out)
}

func (b *bench) runGroups(ctx context.Context, chosen []group) {
	for _, g := range chosen {
		if ctx.Err() != nil {
			b.failed(g.name, context.Cause(ctx))
			return
		}
		b.group = g.about
		begin := time.Now()
		b.say("%s: %s", g.name, g.about)
		if err := g.run(ctx, b); err != nil {
			b.failed(g.name, err)
		}
		b.say("%s: took %.0f s", g.name, time.Since(begin).Seconds())
	}
}

func (b *bench) failed(group string, err error) {
	b.say("%s: %v", group, err)
	b.report.Failures = append(b.report.Failures, fmt.Sprintf("%s: %v", group, err))
}

// finish prints and saves what was measured.
func (b *bench) finish(dir string) error {
	b.report.Took = round(time.Since(b.report.At).Seconds(), 1)
	path, err := b.report.save(filepath.Join(b.root, dir))
	if err != nil {
		return fmt.Errorf("save the figures: %w", err)
	}
	b.report.table(os.Stdout)
	b.say("the figures are in %s", path)
	if n := len(b.report.Failures); n > 0 {
		return fmt.Errorf("%d groups could not be measured", n)
	}
	return nil
}

// say tells whoever waits how far it is.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// add enters a figure of the group under way, with the load since begin.
func (b *bench) add(begin moment, f figure) {
	if m, err := now(); err == nil {
		f.load = m.since(begin)
	}
	b.enter(f)
}

// enter enters a figure whose load is known.
func (b *bench) enter(f figure) {
	f.Group = b.group
	b.report.Figures = append(b.report.Figures, f)
}

// choose returns the groups that a list names.
func choose(list string) ([]group, error) {
	if list == "" {
		return groups, nil
	}
	var chosen []group
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(groups, func(g group) bool { return g.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no group %q; there are:\n%s", name, describeGroups())
		}
		chosen = append(chosen, groups[i])
	}
	return chosen, nil
}

func describeGroups() string {
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "  %-9s %s\n", g.name, g.about)
	}
	return strings.TrimRight(b.String(), "\n")
}

// commit names the version that is measured, or nothing where there is no git.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
