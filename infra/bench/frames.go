package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// microPackages hold the Go benchmarks that are run, and micro says which.
var microPackages = []string{
	"./infra/bench", "./ingest/mix", "./ingest/jitter", "./ingest/resample", "./ingest/loudness",
	"./packager/encode/opus", "./packager/encode/aac", "./packager/cmaf", "./packager/hls", "./origin/store/disk",
}

const micro = "^Benchmark(Frame|Allocations|Mix|Limiter|Pull|Meter|Encode|Part|Append|AppendDelta|ParseMedia|ParseDirectives|Put)$"

// A benchmark is a line of go test -bench: the value of each unit.
type benchmark struct {
	name   string // package and benchmark
	values map[string]float64
}

// measureFrames runs the Go benchmarks of the 20 ms path and of what it is made of.
func measureFrames(ctx context.Context, b *bench) error {
	begin, err := now()
	if err != nil {
		return err
	}
	args := append([]string{"test", "-run", "^$", "-bench", micro, "-benchtime", "100ms", "-benchmem", "-p", "1"}, microPackages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test -bench: %w\n%s", err, out)
	}
	list := parseBenchmarks(string(out))
	b.reportFrames(begin, list)
	return nil
}

// zero are the benchmarks that must not allocate.
var zero = regexp.MustCompile(`^(ingest/mix Mix/|packager/cmaf Part)`)

func (b *bench) reportFrames(begin moment, list []benchmark) {
	for _, m := range list {
		if m.name == "infra/bench Allocations" {
			b.reportAllocations(begin, m.values)
			continue
		}
		f := figure{Name: m.name, Value: m.values["ns/op"] / 1e3, Unit: "us"}
		f.Notes = fmt.Sprintf("%s allocations, %s B", number(m.values["allocs/op"]), number(m.values["B/op"]))
		if strings.HasPrefix(m.name, "infra/bench Frame/") {
			f.Notes += fmt.Sprintf("; 20 ms of sound: %.1f %% of a core", 100*m.values["ns/op"]/20e6)
		}
		b.add(begin, f)
		if zero.MatchString(m.name) {
			b.add(begin, figure{Name: m.name + ": allocations", Value: m.values["allocs/op"], Target: new(0.0), Steady: true})
		}
	}
}

func (b *bench) reportAllocations(begin moment, v map[string]float64) {
	b.add(begin, figure{
		Name: "allocations of a frame that ends no part", Value: v["allocs/quiet-frame"], Target: new(0.0), Steady: true,
		Notes: "the greatest of any frame, from two voices to the access units of the default ladder",
	})
	b.add(begin, figure{
		Name: "bytes allocated for a byte published", Value: round(v["B/published-B"], 2), Steady: true,
		Notes: fmt.Sprintf("in frames that end parts; %.0f allocations an object, playlists among them", v["allocs/object"]),
	})
}

var procs = regexp.MustCompile(`-\d+$`)

// parseBenchmarks reads what go test -bench prints.
func parseBenchmarks(text string) []benchmark {
	var list []benchmark
	pkg := ""
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "pkg:":
			pkg = strings.TrimPrefix(f[1], "longwave/")
		case len(f) >= 4 && strings.HasPrefix(f[0], "Benchmark"):
			name := procs.ReplaceAllString(strings.TrimPrefix(f[0], "Benchmark"), "")
			m := benchmark{name: pkg + " " + strings.ReplaceAll(name, "_", " "), values: map[string]float64{}}
			for i := 2; i+1 < len(f); i += 2 {
				if v, err := strconv.ParseFloat(f[i], 64); err == nil {
					m.values[f[i+1]] = v
				}
			}
			list = append(list, m)
		}
	}
	return list
}
