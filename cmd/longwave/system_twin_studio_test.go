package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm"
	"longwave/packager"
)

// A twinEvening is what tools/twins.mjs reports.
type twinEvening struct {
	evening
	Gaps map[string]map[string]int64 // ms, by scene and by who hears
}

// The longest silences that are borne, on a machine with twenty times the work that it can
// do at once: in the ears of those who talk when a node dies and when it comes back, and of
// the other node's listeners when the node dies and ever. Without a handler it is seconds.
const (
	mostEarGap  = 2 * time.Second
	mostTwinGap = 500 * time.Millisecond
	mostEverGap = 2 * time.Second
)

// TestTwinStudio: host and guest in two real browsers at the studio of the first of two
// nodes, which is killed: they go on hearing each other, the other node's listeners hear
// on, what the host does meanwhile is known to the killed one when it comes back, and so
// are the voices.
func TestTwinStudio(t *testing.T) {
	nodes := startTwins(t)
	e := runTwins(t, nodes)
	for _, n := range nodes {
		n.Stop()
	}
	t.Logf("done: %v", e.Done)
	for scene, gaps := range e.Gaps {
		t.Logf("%s: longest silence in the ears, in ms: %v", scene, gaps)
		for who, gap := range gaps {
			if d := time.Duration(gap) * time.Millisecond; d > mostEarGap {
				t.Errorf("%s: %s heard nobody for %v", scene, who, d)
			}
		}
	}
	dies, ever := e.silence(nodes[1], "live", "start"), e.silence(nodes[1], "live", "over")
	t.Logf("longest silence in the other node's programme: %v when the first dies, %v ever", dies, ever)
	if dies > mostTwinGap || ever > mostEverGap {
		t.Errorf("the listeners of the node that lived heard nothing for %v when the other died, for %v ever", dies, ever)
	}
	for _, w := range []struct {
		node     *systemtest.Node
		from, to string
	}{{nodes[0], "live", "kill"}, {nodes[1], "live", "over"}, {nodes[0], "back", "over"}} {
		got, levels := e.heard(w.node, w.from, w.to)
		if want := []string{"Anna", "Host"}; !slices.Equal(got, want) {
			t.Errorf("from %q to %q the audience hears %v (%v dB), want %v", w.from, w.to, got, levels, want)
		}
	}
	for name, said := range e.Said {
		if len(said) > 0 {
			t.Errorf("%s's page said %q", name, said)
		}
	}
}

// startTwins starts two nodes with one configuration, each with its own folder.
func startTwins(t *testing.T) []*systemtest.Node {
	t.Helper()
	addr := func() string {
		a, err := systemtest.FreeAddr()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	secret := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(secret, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	urls := []string{"http://" + addr(), "http://" + addr()}
	hold := holdFile(t)
	var nodes []*systemtest.Node
	for i, url := range urls {
		n := systemtest.New(t, systemtest.Options{Args: []string{"--node", string(rune('a' + i)), "--public", url}, Config: fmt.Sprintf(`
twins: [%s]
secret_file: %s
stations:
  - name: talk
    renditions: [opus-96, aac-96]
    hold: %s
rtc: {listen: %q}
rtmp: {listen: off}
srt: {listen: off}
`, strings.Join(urls, ", "), secret, hold, addr())})
		n.URL = url
		n.Start()
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		awaitReady(n)
	}
	return nodes
}

// runTwins runs the evening, and kills and starts the first node when it is asked to.
func runTwins(t *testing.T, nodes []*systemtest.Node) (e twinEvening) {
	t.Helper()
	asked, err := json.Marshal(map[string]any{
		"host":  regexp.MustCompile(`http\S+/studio/talk#\S+`).FindString(nodes[0].Output()),
		"nodes": []string{nodes[0].URL, nodes[1].URL}, "voices": eveningVoices, "shots": os.Getenv("LONGWAVE_SHOTS"),
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "tools/twins.mjs", string(asked))
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
	report := followTwins(nodes[0], stdout, stdin)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, nodes[0].Secret(trouble.String()))
	}
	if err := json.Unmarshal([]byte(report), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// followTwins reads what the evening prints, does what it asks for and returns its report.
func followTwins(first *systemtest.Node, out io.Reader, in io.Writer) (report string) {
	first.T().Helper()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch lines.Text() {
		case "kill":
			first.Kill()
		case "start":
			first.Start()
		default:
			report = lines.Text()
			continue
		}
		if _, err := io.WriteString(in, "done\n"); err != nil {
			first.T().Fatal(err)
		}
	}
	return report
}

// silence returns the longest time in which nobody is heard in a node's programme between
// two marks.
func (e *evening) silence(n *systemtest.Node, from, to string) time.Duration {
	at := func(name string) pcm.Pos { return pcm.At(time.UnixMilli(e.Done[name])) }
	first, end := at(from)+pcm.Samples(eveningMargin), at(to)-pcm.Samples(eveningMargin)
	msn := packager.MSN(first)
	x := n.Stored("talk", "aac-96", msn, packager.MSN(end)+1).Decode(n.T())
	start := first - pcm.Pos(msn)*packager.SegmentSamples
	x = x[pcm.Channels*start : pcm.Channels*(start+end-first)]
	const span = pcm.Rate / 100 * pcm.Channels // 10 ms
	longest, run := 0, 0
	for ; len(x) >= span; x = x[span:] {
		var sum float64
		for _, v := range x[:span] {
			sum += float64(v) * float64(v)
		}
		if run++; 10*math.Log10(sum/span) > -50 {
			run = 0
		}
		longest = max(longest, run)
	}
	return time.Duration(longest) * 10 * time.Millisecond
}
