//go:build firefox

// Not part of CI: `make firefox`. Stock Firefox works on the voice at its microphone (noise
// suppression, gain) in a way that leaves a steady voice out for seconds, so its owner says
// that it is music. Two engines and a node are more than two busy cores carry: at a load of
// 20 to 60 half of the runs are red, by seconds in which the machine stood still.

package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"longwave/cmd/longwave/systemtest"
)

// A mixed is what tools/mixed.mjs reports.
type mixed struct {
	evening
	// Ears is by scene and listener how loud each voice is in their return, in dB.
	Ears map[string]map[string]map[string]float64
}

// earsHear is above what a return is without a voice and far below what it is with it,
// in dB.
const earsHear = -33

// TestEveningFirefox: the host in Firefox and a guest in Chromium, through the real pages:
// green room, cue, mute, hold, talkback, a reload, a server that dies and comes again,
// leave, end. The judges are the programme that was kept and what each page received.
func TestEveningFirefox(t *testing.T) {
	n := systemtest.Start(t, systemtest.Options{Config: fmt.Sprintf(`
stations:
  - name: talk
    renditions: [opus-96, aac-96]
    hold: %s
rtc: {listen: %q}
rtmp: {listen: off}
srt: {listen: off}
`, holdFile(t), everywhere(t))})
	awaitReady(n)
	m := runMixed(t, n)
	n.Stop()
	for _, w := range []struct {
		scene string
		want  []string
	}{
		{"cue", []string{"Host"}},
		{"live", []string{"Anna", "Host"}},
		{"mute", []string{"Anna"}},
		{"hold", nil},
		{"talk", []string{"Anna"}},
		{"again", []string{"Anna", "Host"}},
		{"left", []string{"Anna"}},
		{"over", nil},
	} {
		got, levels := m.heard(n, w.scene, w.scene+"-end")
		t.Logf("%s: %v dB", w.scene, levels)
		if !slices.Equal(got, w.want) {
			t.Errorf("%s: the audience hears %v, want %v", w.scene, got, w.want)
		}
	}
	m.judgeEars(t)
	for name, said := range m.Said {
		if len(said) > 0 {
			t.Errorf("%s's page said %q", name, said)
		}
	}
	judgeSpeakers(t, n, "Anna", "Host")
}

// everywhere returns a free address on all interfaces: Firefox never has the loopback
// interface among its own addresses.
func everywhere(t *testing.T) string {
	t.Helper()
	addr, err := systemtest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return ":" + port
}

// runMixed runs the evening and kills the node when it is asked to.
func runMixed(t *testing.T, n *systemtest.Node) (m mixed) {
	t.Helper()
	asked, err := json.Marshal(map[string]any{
		"host":   regexp.MustCompile(`http\S+/studio/talk#\S+`).FindString(n.Output()),
		"voices": eveningVoices,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "tools/mixed.mjs", string(asked))
	cmd.Dir = "../../ingest/studio/page"
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // it takes its browsers with it
	var trouble strings.Builder
	cmd.Stderr = &trouble
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	report := followMixed(n, stdout, stdin)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, n.Secret(trouble.String()))
	}
	if err := json.Unmarshal([]byte(report), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// followMixed reads what the evening prints, does what it asks for and returns its report.
func followMixed(n *systemtest.Node, out io.Reader, in io.Writer) (report string) {
	n.T().Helper()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() != "kill" {
			report = lines.Text()
			continue
		}
		n.Kill()
		n.Start()
		awaitReady(n)
		fmt.Fprintln(in)
	}
	return report
}

// judgeEars: everybody hears those they shall and never themselves.
func (m *mixed) judgeEars(t *testing.T) {
	t.Helper()
	each := map[string][]string{"Anna": {"Host"}, "Host": {"Anna"}}
	for _, scene := range []string{"cue", "live", "talk", "again"} {
		t.Logf("ears, %s: %v", scene, m.Ears[scene])
		for who, voices := range each {
			var got []string
			for voice, level := range m.Ears[scene][who] {
				if level > earsHear {
					got = append(got, voice)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, voices) {
				t.Errorf("%s: %s hears %v, want %v: %v", scene, who, got, voices, m.Ears[scene][who])
			}
		}
	}
}
