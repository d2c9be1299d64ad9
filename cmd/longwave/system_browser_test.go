package main_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"longwave/cmd/longwave/systemtest"
)

// TestBrowserHears: a ruler of tones goes in by standard input and comes out of real
// Chromium, played by our page and by hls.js with nothing around it. The delay is a
// matter of the benchmark; here the tones have to be heard, each in its second.
func TestBrowserHears(t *testing.T) {
	bursts := filepath.Join(t.TempDir(), "bursts")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bursts, "../../infra/bench/acoustic/bursts").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	n := systemtest.Start(t, systemtest.Options{
		Args: []string{"--play", "-"},
		Wrap: func(program string, args []string) *exec.Cmd { return piped(t, bursts, program, args) },
	})
	awaitReady(n)
	for _, c := range []struct{ player, path string }{
		{"page", "/talk/"}, {"bare", "/talk/opus.m3u8"}, {"bare", "/talk/index.m3u8"},
	} {
		out, err := exec.CommandContext(t.Context(), "node", "../../infra/bench/acoustic/meter.mjs",
			"--player", c.player, "--url", n.URL+c.path, "--seconds", "7", "--settle", "1").Output()
		var report struct {
			MouthToEarMs struct{ Count int }
			Messages     []string
		}
		if jsonErr := json.Unmarshal(out, &report); err != nil || jsonErr != nil {
			t.Errorf("%s %s: %v, %v\n%s", c.player, c.path, err, jsonErr, out)
			continue
		}
		if report.MouthToEarMs.Count < 3 || len(report.Messages) > 0 {
			t.Errorf("%s %s: %d tones were heard, the page said %q", c.player, c.path, report.MouthToEarMs.Count, report.Messages)
		}
	}
}

// piped returns the program with the output of another one as its standard input.
func piped(t *testing.T, from, program string, args []string) *exec.Cmd {
	t.Helper()
	source := exec.CommandContext(t.Context(), from)
	source.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	pipe, err := source.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = source.Process.Kill()
		_ = source.Wait()
	})
	cmd := exec.Command(program, args...)
	cmd.Stdin = pipe
	return cmd
}
