package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// linterVersion is built from source: a matter of two minutes on two cores,
// once a machine.
const linterVersion = "v2.13.1"

// shellcheck reads every shell script.
func shellcheck(ctx context.Context, p *project) (tally, error) {
	scripts, err := p.files(func(path string) bool {
		return filepath.Ext(path) == ".sh" || filepath.ToSlash(path) == ".ci/run"
	})
	if err != nil {
		return tally{}, err
	}
	args := append([]string{"--shell=bash", "--severity=info"}, scripts...)
	return tally{}, p.command(ctx, ".", "shellcheck", args...).Run()
}

// plainBuild is what somebody does who knows Go and not our Makefile: no tags.
func plainBuild(ctx context.Context, p *project) (tally, error) {
	c := p.command(ctx, ".", "go", "build", "./...")
	flags := strings.ReplaceAll(os.Getenv("GOFLAGS"), "-tags=nolibopusfile", "")
	c.Env = append(os.Environ(), "GOFLAGS="+flags)
	return tally{}, c.Run()
}

func vet(ctx context.Context, p *project) (tally, error) {
	return tally{}, p.inModules(ctx, "go", "vet", "./...")
}

func format(ctx context.Context, p *project) (tally, error) {
	linter, err := p.linter(ctx)
	if err != nil {
		return tally{}, err
	}
	return tally{}, p.inModules(ctx, linter, "fmt", "--diff")
}

func lint(ctx context.Context, p *project) (tally, error) {
	linter, err := p.linter(ctx)
	if err != nil {
		return tally{}, err
	}
	return tally{}, p.inModules(ctx, linter, "run", "./...")
}

// linter returns the pinned golangci-lint, built into the user's cache when it
// is not there yet.
func (p *project) linter(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place for the linter: %w", err)
	}
	path := filepath.Join(cache, "longwave", "golangci-lint-"+linterVersion)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	fmt.Fprintf(p.out, "set-up: golangci-lint %s, built from source (some minutes)\n", linterVersion)
	tmp, err := os.MkdirTemp("", "longwave-linter")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	c := p.command(ctx, ".", "go", "install", "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@"+linterVersion)
	c.Env = append(os.Environ(), "GOBIN="+tmp, "GOFLAGS=-trimpath", "CGO_ENABLED=0")
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("build golangci-lint: %w", err)
	}
	return path, moveFile(filepath.Join(tmp, "golangci-lint"), path)
}

// moveFile moves between file systems too; another process sees all of it or nothing.
func moveFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	part := fmt.Sprintf("%s.%d", to, os.Getpid())
	if err := os.WriteFile(part, b, 0o755); err != nil {
		return err
	}
	return os.Rename(part, to)
}

// npmAtOnce is how many npm packages are looked at side by side: their tests mostly wait
// for a browser.
const npmAtOnce = 2

// npm runs the scripts "check" and "test" of every npm package that has them, and
// the tests of scripts that belong to none.
func npm(ctx context.Context, p *project) (tally, error) {
	var sum tally
	dirs, err := p.foldersWith("package-lock.json")
	if err != nil {
		return sum, err
	}
	loose, err := p.looseTests(dirs)
	if err != nil {
		return sum, err
	}
	var mu sync.Mutex
	var all errgroup.Group
	all.SetLimit(npmAtOnce)
	for _, dir := range dirs {
		all.Go(func() error {
			var said bytes.Buffer
			t, err := p.at(&said).npmPackage(ctx, dir)
			mu.Lock()
			defer mu.Unlock()
			_, _ = said.WriteTo(p.out)
			sum.add(t)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return sum, err
	}
	for _, file := range loose {
		sum.add(p.count(ctx, ".", "node", "--test", "--test-reporter=dot", file))
	}
	return sum, sum.err()
}

// npmPackage runs the scripts of one package.
func (p *project) npmPackage(ctx context.Context, dir string) (tally, error) {
	var t tally
	b, err := os.ReadFile(filepath.Join(p.path(dir), "package.json"))
	if err != nil {
		return t, err
	}
	var pkg struct{ Scripts map[string]string }
	if err := json.Unmarshal(b, &pkg); err != nil {
		return t, fmt.Errorf("read %s/package.json: %w", dir, err)
	}
	for _, script := range []string{"check", "test"} {
		if pkg.Scripts[script] != "" {
			t.add(p.count(ctx, dir, "npm", "run", "--silent", script))
		}
	}
	return t, nil
}

// looseTests returns the *.test.mjs that lie in none of these folders.
func (p *project) looseTests(packages []string) ([]string, error) {
	return p.files(func(path string) bool {
		inPackage := slices.ContainsFunc(packages, func(dir string) bool {
			return strings.HasPrefix(filepath.ToSlash(path), dir+"/")
		})
		return strings.HasSuffix(path, ".test.mjs") && !inPackage
	})
}

// count runs a program whose success counts as one.
func (p *project) count(ctx context.Context, dir, name string, args ...string) tally {
	fmt.Fprintf(p.out, "%s: %s %s\n", dir, name, strings.Join(args, " "))
	if err := p.command(ctx, dir, name, args...).Run(); err != nil {
		fmt.Fprintf(p.out, "%s: %s %s: %v\n", dir, name, strings.Join(args, " "), err)
		return tally{failed: 1}
	}
	return tally{passed: 1}
}

// realTime is the package whose tests run real programs in real time: on a machine that
// does other things beside them they would judge the machine. Most of their time is
// waiting, so there may be more of them at once than there are cores.
const (
	realTime       = "longwave/cmd/longwave"
	realTimeAtOnce = "-parallel=3"
)

// goTest runs the tests of every module. Vet has been a gate of its own.
func goTest(ctx context.Context, p *project) (tally, error) {
	var sum tally
	for _, m := range p.modules {
		runs, err := p.testRuns(ctx, m)
		if err != nil {
			return sum, err
		}
		for _, packages := range runs {
			args := []string{"test", "-json", "-vet=off", "-race", "-shuffle=on", "-timeout=15m"}
			if slices.Contains(packages, realTime) {
				args = append(args, realTimeAtOnce)
			}
			t, err := p.test(p.command(ctx, m, "go", append(args, packages...)...))
			sum.add(t)
			if err != nil && t.failed == 0 {
				return sum, fmt.Errorf("%s: %w", m, err)
			}
		}
	}
	return sum, sum.err()
}

// testRuns returns the packages of a module that may be tested side by side.
func (p *project) testRuns(ctx context.Context, module string) ([][]string, error) {
	c := p.command(ctx, module, "go", "list", "./...")
	c.Stdout = nil
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: list the packages: %w", module, err)
	}
	packages := strings.Fields(string(out))
	i := slices.Index(packages, realTime)
	if i < 0 {
		return [][]string{packages}, nil
	}
	return [][]string{slices.Delete(packages, i, i+1), {realTime}}, nil
}

// test runs a go test -json and tells what a person wants to read of it.
func (p *project) test(c *exec.Cmd) (tally, error) {
	c.Stdout = nil
	out, err := c.StdoutPipe()
	if err != nil {
		return tally{}, err
	}
	if err := c.Start(); err != nil {
		return tally{}, err
	}
	t, err := readTests(out, p.out)
	if werr := c.Wait(); werr != nil {
		err = werr
	}
	return t, err
}

// err is nil when nothing has failed.
func (t tally) err() error {
	if t.failed == 0 {
		return nil
	}
	return fmt.Errorf("%d failed", t.failed)
}
