package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"longwave/cmd/longwave/systemtest/cdn"
)

// A faultRow is one thing that dies while somebody listens.
type faultRow struct {
	name    string
	profile string
	mode    string // of the page: "" or "reliable"
	bound   float64
	// strike returns what the shell does when the time has come.
	strike func(*faultStage) string
	twins  bool          // a node behind each CDN, instead of one behind both
	after  time.Duration // how long it is listened after the fault; default 10 s
	back   bool          // the fault ends after 10 s, and listeners return
	// measure is another way to measure it than [bench.fault].
	measure func(*bench, context.Context, faultRow) error
}

// faultSecond is when the fault comes, after the press: the player is settled then.
const faultSecond = 12

func cdnFails(f cdn.Fault) func(*faultStage) string {
	return func(s *faultStage) string { return s.fail(0, f) }
}

var faultRows = []faultRow{
	{name: "CDN A refuses", profile: "low", bound: 0, strike: cdnFails(cdn.Refused)},
	{name: "CDN A answers 404", profile: "low", bound: 0, strike: cdnFails(cdn.Absent)},
	{name: "CDN A answers 503", profile: "low", bound: 0, strike: cdnFails(cdn.Broken)},
	{name: "CDN A never answers", profile: "low", bound: 0, strike: cdnFails(cdn.Hangs)},
	{name: "CDN A never answers", profile: "fast", bound: 250, strike: cdnFails(cdn.Hangs)},
	{name: "CDN A is frozen", profile: "low", bound: 1000, strike: cdnFails(cdn.Frozen)},
	{name: "CDN A is frozen, most reliable", profile: "low", mode: "reliable", bound: 0, strike: cdnFails(cdn.Frozen)},
	{name: "CDN A answers HTML", profile: "low", bound: 0, strike: cdnFails(cdn.HTML)},
	{name: "CDN A has another station", profile: "low", bound: 0, strike: cdnFails(cdn.Mixed)},
	{name: "twin killed", profile: "low", bound: 0, twins: true, strike: func(s *faultStage) string { return fmt.Sprintf("kill -9 %d", s.nodes[0].pid()) }},
	{name: "only node killed and restarted", profile: "low", bound: 2000, strike: func(s *faultStage) string { return fmt.Sprintf("kill -9 %d", s.nodes[0].pid()) }},
	{name: "all origins dead, store alive", profile: "low", bound: 6000, after: 25 * time.Second, strike: func(s *faultStage) string {
		return s.fail(0, cdn.Refused) + "; " + s.fail(1, cdn.Refused)
	}},
	{name: "CDN A refuses for 10 s and returns", profile: "low", bound: 0, back: true, after: 10*time.Second + returned + 5*time.Second, strike: func(s *faultStage) string {
		return s.fail(0, cdn.Refused) + "; sleep 10; " + s.fail(0, cdn.None)
	}},
	{name: "store dead", profile: "low", bound: 0, measure: (*bench).storeDies},
	{name: "uplink narrow", profile: "low", bound: 0, measure: (*bench).narrowUplink},
	{name: "kill -9 while objects are put", measure: (*bench).killPuts},
}

// returned is how long listeners may take to come back.
const returned = 60 * time.Second

// measureFaults lets each of them happen to a listener in Chromium and measures the silence.
func measureFaults(ctx context.Context, b *bench) error {
	var trouble []error
	only := os.Getenv("FAULTS") // part of a row's name
	for _, row := range faultRows {
		if !strings.Contains(row.name, only) {
			continue
		}
		if row.measure == nil {
			row.measure = (*bench).fault
		}
		if err := row.measure(b, ctx, row); err != nil {
			trouble = append(trouble, fmt.Errorf("%s, profile %s: %w", row.name, row.profile, err))
		}
	}
	return errors.Join(trouble...)
}

func (b *bench) fault(ctx context.Context, row faultRow) error {
	if row.after == 0 {
		row.after = 10 * time.Second
	}
	begin, err := now()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := b.openFaultStage(ctx, row)
	if s != nil {
		defer s.close()
	}
	if err != nil {
		return err
	}
	var h hearing
	watching, stop := context.WithCancel(ctx)
	g, gctx := errgroup.WithContext(watching)
	g.Go(func() (err error) {
		defer stop()
		h, err = b.hearing(gctx, s.page+"/"+station+"/", "--seconds", fmt.Sprint(faultSecond+int(row.after.Seconds())),
			"--mode", row.mode, "--fault", fmt.Sprintf("%d=%s", faultSecond, row.strike(s)))
		return err
	})
	if !row.twins {
		g.Go(func() error { return s.supervise(watching) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	silence, notes := h.silence()
	b.add(begin, figure{Name: row.name + ", profile " + row.profile + ": silence", Value: silence, Unit: "ms", Target: &row.bound, Notes: notes})
	if row.back {
		b.reportReturn(begin, row, s.cdns[0])
	}
	return nil
}

// reportReturn enters when the listener came back to a CDN that works again.
func (b *bench) reportReturn(begin moment, row faultRow, c *cdn.CDN) {
	mended, reloads := c.Reloads()
	f := figure{
		Name: row.name + ", profile " + row.profile + ": until the listener is back", Value: math.Ceil(time.Since(mended).Seconds()), Unit: "s",
		Target: new(returned.Seconds()), Notes: "they did not come back",
	}
	if at, ok := settled(reloads, time.Now()); ok {
		f.Value, f.Notes = round(at.Sub(mended).Seconds(), 1), fmt.Sprintf("from the moment when it works again to where blocking reloads are its own, %d in all", len(reloads))
	}
	b.add(begin, f)
}

// settled returns from when on something came again and again until the end.
func settled(at []time.Time, end time.Time) (time.Time, bool) {
	const most = 3 * time.Second // between two of them
	if len(at) == 0 || end.Sub(at[len(at)-1]) > most {
		return time.Time{}, false
	}
	i := len(at) - 1
	for i > 0 && at[i].Sub(at[i-1]) <= most {
		i--
	}
	return at[i], true
}

// silence returns how long nothing was heard from the fault's second on.
func (h hearing) silence() (ms float64, notes string) {
	const from = faultSecond
	var at []string
	for _, g := range h.Gaps {
		end := g.Second + g.MS/1000
		if end <= from {
			continue
		}
		ms += 1000 * (end - max(from, g.Second))
		at = append(at, fmt.Sprintf("%.0f ms after %.1f s", g.MS, g.Second-from))
	}
	if len(at) == 0 {
		return 0, "no gap"
	}
	return round(ms, 1), "silent " + strings.Join(at, ", ")
}

// A faultStage is one or two nodes behind two CDNs, and their store behind a plain server.
type faultStage struct {
	b       *bench
	row     faultRow
	cdns    [2]*cdn.CDN
	control [2]string
	nodes   []*node
	rulers  []*child
	page    string // where the listener opens the page
	files   *http.Server
	options nodeOptions
}

func (b *bench) openFaultStage(ctx context.Context, row faultRow) (*faultStage, error) {
	s := &faultStage{b: b, row: row}
	lines := []string{"pathways:"}
	for i, id := range []string{"cdn-a", "cdn-b"} {
		c, err := cdn.New(ctx)
		if err != nil {
			return s, err
		}
		s.cdns[i] = c
		c.Mix(station, "news")
		if s.control[i], err = c.Control(ctx); err != nil {
			return s, err
		}
		lines = append(lines, fmt.Sprintf("  - {id: %s, url: %q, node: %q}", id, c.URL(), s.nodeOf(i)))
	}
	s.page = s.cdns[1].URL()
	data, err := os.MkdirTemp(b.tmp, "data")
	if err != nil {
		return s, err
	}
	plain, err := s.serveFiles(ctx, filepath.Join(data, "store"))
	if err != nil {
		return s, err
	}
	lines = append(lines, fmt.Sprintf("  - {id: store, url: %q, plain: true, node: a}", plain))
	hold := filepath.Join(b.tmp, "faint.wav")
	if err := faint(ctx, hold); err != nil {
		return s, err
	}
	s.options = nodeOptions{profile: row.profile, data: data, renditions: []string{"opus-96", "aac-48"}, more: lines, second: hold}
	if err := s.startNode(ctx, 0); err != nil {
		return s, err
	}
	if row.twins {
		s.options.data = ""
		if err := s.startNode(ctx, 1); err != nil {
			return s, err
		}
	}
	return s, errors.Join(s.ready(ctx), pause(ctx, 5*time.Second))
}

// nodeOf is the node that feeds a CDN.
func (s *faultStage) nodeOf(i int) string {
	if s.row.twins && i == 1 {
		return "b"
	}
	return "a"
}

// startNode starts the i-th node with a ruler of its own; both are on the wall clock.
func (s *faultStage) startNode(ctx context.Context, i int) error {
	o := s.options
	o.name = s.nodeOf(i)
	n, bursts, err := s.b.ruled(ctx, o)
	if err != nil {
		return err
	}
	s.rulers = append(s.rulers, bursts)
	if i < len(s.nodes) {
		s.nodes[i] = n
	} else {
		s.nodes = append(s.nodes, n)
	}
	for k, c := range s.cdns {
		if k == i || !s.row.twins {
			err = errors.Join(err, c.Origin(n.base))
		}
	}
	return err
}

func (s *faultStage) ready(ctx context.Context) error {
	var err error
	for _, n := range s.nodes {
		err = errors.Join(err, n.ready(ctx))
	}
	return err
}

// supervise starts the only node again when it ends, as systemd does.
func (s *faultStage) supervise(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.nodes[0].done:
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil //nolint:nilerr // the listener has heard enough
		}
		if err := s.startNode(ctx, 0); err != nil {
			return err
		}
	}
}

// fail is the command that makes a CDN fail.
func (s *faultStage) fail(i int, f cdn.Fault) string {
	return fmt.Sprintf("curl -sS '%s/?fault=%s'", s.control[i], f)
}

// serveFiles serves a folder as a bucket's CDN does.
func (s *faultStage) serveFiles(ctx context.Context, dir string) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	files := http.FileServer(http.Dir(dir))
	s.files = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cache-Control", "max-age=1")
		files.ServeHTTP(w, r)
	})}
	go func() { _ = s.files.Serve(l) }() // ends by Close
	return "http://" + l.Addr().String(), nil
}

func (s *faultStage) close() {
	for _, n := range s.nodes {
		n.kill()
	}
	for _, r := range s.rulers {
		r.stop()
	}
	for _, c := range s.cdns {
		if c != nil {
			_ = c.Close()
		}
	}
	if s.files != nil {
		_ = s.files.Close()
	}
}

// killPuts runs the test that kills writers of a bucket until 1,000 objects were
// acknowledged, and says what it found.
func (b *bench) killPuts(ctx context.Context, row faultRow) error {
	begin, err := now()
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=120s", "-v", "-run", "^TestKill$", "./origin/store/s3").CombinedOutput()
	m := regexp.MustCompile(`(\d+ kills, \d+ PUTs acknowledged), \d+ keys`).FindSubmatch(out)
	if m == nil {
		return fmt.Errorf("the test of origin/store/s3: %w: %s", errors.Join(err, errors.New("no figures")), out)
	}
	wrong := float64(strings.Count(string(out), " was acknowledged with ") + strings.Count(string(out), "acknowledged, and not there"))
	if err != nil && wrong == 0 {
		return fmt.Errorf("the test of origin/store/s3: %w: %s", err, out)
	}
	b.add(begin, figure{
		Name: row.name + ": missing, or with two contents", Value: wrong, Unit: "objects", Target: &row.bound, Steady: true,
		Notes: string(m[1]) + "; go test ./origin/store/s3 -run TestKill",
	})
	return nil
}

// faint writes a hold that counts as silence, so that another station's sound does.
func faint(ctx context.Context, path string) error {
	out, err := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "anoisesrc=d=4:a=0.001:r=48000", "-ac", "2", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ffmpeg: %w: %s", err, out)
	}
	return nil
}
