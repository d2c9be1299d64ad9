// Command check runs every gate that a change has to pass, on a developer's
// machine and in CI alike:
//
//	go run ./infra/check             all of them
//	go run ./infra/check lint test   these
//
// Every gate runs, whatever the ones before it said. The last line counts:
// "N passed, N failed", each test one and each other gate one; the exit code
// is 1 when anything failed and 2 for a gate that does not exist.
//
// This package does not install anything but its own pinned linter:
// infra/setup does.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A gate is one thing that a change has to pass.
type gate struct {
	name string
	run  func(context.Context, *project) (tally, error)
}

// gates, the cheap ones first.
var gates = []gate{
	{"shell", shellcheck},
	{"build", plainBuild},
	{"vet", vet},
	{"format", format},
	{"lint", lint},
	{"npm", npm},
	{"test", goTest},
}

// A tally counts tests. A gate that has none counts as one by its error.
type tally struct{ passed, failed, skipped int }

func (t *tally) add(o tally) {
	t.passed += o.passed
	t.failed += o.failed
	t.skipped += o.skipped
}

// A project is the checkout that is looked at, and where the findings go.
type project struct {
	root    string   // absolute
	modules []string // folders with a go.mod, below root, "." first
	out     io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, names []string) int {
	for _, n := range names {
		if !slices.ContainsFunc(gates, func(g gate) bool { return g.name == n }) {
			fmt.Fprintf(os.Stderr, "check: no gate %q\n", n)
			return 2
		}
	}
	p, err := openProject(ctx, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		return 1
	}
	var sum tally
	var report strings.Builder
	for _, g := range gates {
		if len(names) == 0 || slices.Contains(names, g.name) {
			sum.add(p.pass(ctx, g, &report))
		}
	}
	fmt.Printf("\n%s%d skipped\n%d passed, %d failed\n", &report, sum.skipped, sum.passed, sum.failed)
	if sum.failed > 0 || ctx.Err() != nil {
		return 1
	}
	return 0
}

// pass runs one gate and writes its line to report. An error counts as one
// failure when no test has counted it already.
func (p *project) pass(ctx context.Context, g gate, report io.Writer) tally {
	fmt.Fprintf(p.out, "== %s\n", g.name)
	start := time.Now()
	t, err := g.run(ctx, p)
	word := "ok"
	switch {
	case err != nil:
		word = "FAILED: " + err.Error()
		t.failed = max(t.failed, 1)
	case t == tally{}:
		t.passed = 1
	}
	line := fmt.Sprintf("%-7s %5.0f s  %s\n", g.name, time.Since(start).Seconds(), word)
	fmt.Fprint(report, line)
	fmt.Fprintf(p.out, "== %s\n", line)
	return t
}

// openProject finds the main module's folder and the nested modules in it.
func openProject(ctx context.Context, out io.Writer) (*project, error) {
	b, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module: %w", err)
	}
	p := &project{root: strings.TrimSpace(string(b)), out: out}
	p.modules, err = p.foldersWith("go.mod")
	return p, err
}

// at returns the project with another place for the findings.
func (p *project) at(out io.Writer) *project {
	q := *p
	q.out = out
	return &q
}

// command prepares a program in a folder of the project; both of its outputs
// go to the project's.
func (p *project) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = p.path(dir)
	c.Stdout, c.Stderr = p.out, p.out
	// An interrupted child ends what it started itself before it is killed.
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	return c
}

// inModules runs a program in every Go module and goes on after a failure.
func (p *project) inModules(ctx context.Context, name string, args ...string) error {
	var failed []string
	for _, m := range p.modules {
		if err := p.command(ctx, m, name, args...).Run(); err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", m, err))
		}
	}
	if failed != nil {
		return fmt.Errorf("%s", strings.Join(failed, "; "))
	}
	return nil
}
