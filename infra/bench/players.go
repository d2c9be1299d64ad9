package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"longwave/cmd/longwave/systemtest/cdn"
)

// A judge is a player that is measured; page is a file of players/, or none for ours.
type judge struct{ name, page string }

// judges are measured side by side. All but the first and the last are as they come.
var judges = []judge{
	{"our page", ""},
	{"hls.js 1.7.4", "hlsjs.html"},
	{"Shaka Player 5.2.12", "shaka.html"},
	{"Video.js 8.24.1", "videojs.html"},
	{"hls.js with advised.js", "advised.html"},
}

// A judgedRow is one thing that dies while they listen, or before they come.
type judgedRow struct {
	name   string
	strike func(*judgedStage) string // while they listen
	start  bool                      // how long it takes them to begin is measured
	dead   cdn.Fault                 // what CDN A is when they come
	after  time.Duration             // how long it is listened after the fault; default 30 s
}

const (
	judgedSecond  = 8 // when the fault comes, after the press
	judgedAfter   = 30 * time.Second
	judgedPatient = 50 * time.Second // where players wait for an answer
	judgedStart   = 20 * time.Second // how long a start may take
)

var judgedRows = []judgedRow{
	{name: "nothing fails", strike: func(*judgedStage) string { return "true" }},
	{name: "CDN A refuses", strike: aFails(cdn.Refused)},
	{name: "CDN A answers 404", strike: aFails(cdn.Absent)},
	{name: "CDN A answers 503", strike: aFails(cdn.Broken)},
	{name: "CDN A never answers", strike: aFails(cdn.Hangs), after: judgedPatient},
	{name: "CDN A is frozen", strike: aFails(cdn.Frozen), after: judgedPatient},
	{name: "CDN A answers HTML", strike: aFails(cdn.HTML)},
	{name: "CDN A has another station", strike: aFails(cdn.Mixed)},
	{name: "only node killed and restarted", strike: func(s *judgedStage) string { return fmt.Sprintf("kill -9 %d", s.nodes[0].pid()) }},
	{name: "origin dead, its CDNs go to the bucket", strike: func(s *judgedStage) string {
		return fmt.Sprintf("curl -sS '%s/?fault=%s'", s.originControl, cdn.Refused)
	}},
	{name: "all origins dead, store alive", strike: func(s *judgedStage) string {
		return s.fail(0, cdn.Refused) + "; " + s.fail(1, cdn.Refused)
	}},
	{name: "start, nothing fails", start: true},
	{name: "start, CDN A refuses", start: true, dead: cdn.Refused},
	{name: "start, CDN A answers 503", start: true, dead: cdn.Broken},
	{name: "start, CDN A never answers", start: true, dead: cdn.Hangs},
}

// measurePlayers lets the same happen to all players. PLAYERS and FAULTS are parts of the
// names of those that are measured.
func measurePlayers(ctx context.Context, b *bench) error {
	var who []judge
	for _, j := range judges {
		if strings.Contains(j.name, os.Getenv("PLAYERS")) {
			who = append(who, j)
		}
	}
	var trouble []error
	for _, row := range judgedRows {
		if !strings.Contains(row.name, os.Getenv("FAULTS")) {
			continue
		}
		if err := b.judge(ctx, row, who); err != nil {
			trouble = append(trouble, fmt.Errorf("%s: %w", row.name, err))
		}
	}
	return errors.Join(trouble...)
}

func aFails(f cdn.Fault) func(*judgedStage) string {
	return func(s *judgedStage) string { return s.fail(0, f) }
}

// A verdict is what was heard of a player.
type verdict struct {
	hearing
	Gaps []struct {
		Second float64 `json:"second"`
		MS     float64 `json:"ms"`
		Open   bool    `json:"open"` // to the end
	} `json:"gaps"`
	Player struct {
		Log []struct {
			Phase string `json:"phase"`
		} `json:"log"`
	} `json:"player"`
}

func (b *bench) judge(ctx context.Context, row judgedRow, who []judge) error {
	if row.after == 0 {
		row.after = judgedAfter
	}
	b.say("players: %s", row.name)
	begin, err := now()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := b.openJudgedStage(ctx, row)
	defer s.close()
	if err != nil {
		return err
	}
	var told map[string]verdict
	watching, stop := context.WithCancel(ctx)
	defer stop()
	g, gctx := errgroup.WithContext(watching)
	g.Go(func() (err error) {
		defer stop()
		told, err = b.audition(gctx, s, row, who)
		return err
	})
	g.Go(func() error { return s.supervise(watching) })
	if err := g.Wait(); err != nil {
		return err
	}
	for _, j := range who {
		v, ok := told[j.name]
		if !ok {
			return fmt.Errorf("nothing was told of %s", j.name)
		}
		b.add(begin, v.figure(row, j))
	}
	return nil
}

// figure is the longest silence, or how long a start took.
func (v verdict) figure(row judgedRow, j judge) figure {
	f := figure{Name: row.name + ": " + j.name, Unit: "ms"}
	if row.start {
		if v.StartUp == nil {
			f.Value, f.Notes = judgedStart.Seconds()*1000, "did not begin"+v.last()
		} else {
			f.Value, f.Notes = round(*v.StartUp, 0), "press to first sound"
		}
		return f
	}
	var at []string
	end := "plays on"
	for _, g := range v.Gaps {
		if g.Second+g.MS/1000 <= judgedSecond {
			continue
		}
		f.Value = max(f.Value, round(g.MS-1000*max(0, judgedSecond-g.Second), 0))
		at = append(at, fmt.Sprintf("%.0f ms after %.1f s", g.MS, g.Second-judgedSecond))
		if g.Open {
			end = fmt.Sprintf("silent until the end, %.0f s after the fault%s", row.after.Seconds(), v.last())
		}
	}
	if v.StartUp == nil {
		f.Value, end = row.after.Seconds()*1000, "was never heard"+v.last()
	}
	f.Notes = strings.Join(append([]string{end}, at...), "; ")
	return f
}

// last says whether the player has given up, and its last words.
func (v verdict) last() string {
	text := ", still trying"
	for _, l := range v.Player.Log {
		if l.Phase == "dead" {
			text = ", dead: needs a press"
		}
	}
	for _, m := range v.Messages {
		if why, ok := strings.CutPrefix(m, "gave up: "); ok {
			return text + " (" + why + ")"
		}
	}
	return text
}

// audition plays the station in all players at one time.
func (b *bench) audition(ctx context.Context, s *judgedStage, row judgedRow, who []judge) (map[string]verdict, error) {
	dir := filepath.Join(b.root, "infra", "bench", "players")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "video.js")); err != nil {
		return nil, fmt.Errorf("the players are not installed (%w): run make setup-test", err)
	}
	pages, err := serveOn(ctx, http.FileServer(http.Dir(dir)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = pages.Close() }()
	length := judgedStart
	args := []string{filepath.Join(dir, "players.mjs")}
	if !row.start {
		length = judgedSecond*time.Second + row.after
		args = append(args, "--fault", fmt.Sprintf("%d=%s", judgedSecond, row.strike(s)))
	}
	args = append(args, "--seconds", fmt.Sprint(length.Seconds()))
	for _, j := range who {
		at := s.page + "/" + station + "/"
		if j.page != "" {
			list := url.Values{"url": {at + "index.m3u8", s.bucket + "/" + station + "/index.m3u8"}}
			at = "http://" + pages.Addr + "/" + j.page + "?" + list.Encode()
		}
		args = append(args, j.name+"="+at)
	}
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("players: %w", withOutput(err))
	}
	var told map[string]verdict
	if err := json.Unmarshal(out, &told); err != nil {
		return nil, fmt.Errorf("players: %w", err)
	}
	return told, nil
}

// A judgedStage is a node behind an origin, which is behind two CDNs of two hosts, with two
// renditions of AAC, so that a player may take the other one for a way out.
type judgedStage struct {
	*faultStage
	origin        *cdn.CDN // fails on its own
	originControl string
	bucket        string
}

func (b *bench) openJudgedStage(ctx context.Context, row judgedRow) (*judgedStage, error) {
	s := &judgedStage{faultStage: &faultStage{b: b}}
	lines := []string{"pathways:"}
	for i, host := range []string{"127.0.0.2", "127.0.0.3"} {
		c, err := cdn.NewAt(ctx, host)
		if err != nil {
			return s, err
		}
		s.cdns[i] = c
		c.Mix(station, "news")
		if s.control[i], err = c.Control(ctx); err != nil {
			return s, err
		}
		lines = append(lines, fmt.Sprintf("  - {id: cdn-%c, url: %q}", 'a'+i, c.URL()))
	}
	s.page = s.cdns[1].URL()
	data, err := os.MkdirTemp(b.tmp, "data")
	if err != nil {
		return s, err
	}
	if s.bucket, err = s.serveFiles(ctx, filepath.Join(data, "store")); err != nil {
		return s, err
	}
	hold := filepath.Join(b.tmp, "faint.wav")
	if err := faint(ctx, hold); err != nil {
		return s, err
	}
	s.options = nodeOptions{
		profile: "low", play: "-", data: data, renditions: []string{"opus-96", "aac-48", "aac-96"}, second: hold,
		more: append(lines, fmt.Sprintf("  - {id: store, url: %q, plain: true}", s.bucket)),
	}
	if err := errors.Join(s.startNode(ctx, 0), s.ready(ctx)); err != nil {
		return s, err
	}
	if err := s.openOrigin(ctx); err != nil {
		return s, err
	}
	if row.dead != "" { // long enough for the probes to know
		return s, errors.Join(pause(ctx, 3*time.Second), s.cdns[0].Fail(ctx, row.dead), pause(ctx, 12*time.Second))
	}
	return s, pause(ctx, 3*time.Second)
}

// openOrigin puts between the CDNs and the node an origin, and what goes to the bucket
// when the origin does not answer, as the origin groups of CDNs do. A node that is started
// again is asked directly.
func (s *judgedStage) openOrigin(ctx context.Context) error {
	var err error
	if s.origin, err = cdn.New(ctx); err != nil {
		return err
	}
	if s.originControl, err = s.origin.Control(ctx); err != nil {
		return err
	}
	if err := s.origin.Origin(s.nodes[0].base); err != nil {
		return err
	}
	group, err := forward(s.origin.URL())
	if err != nil {
		return err
	}
	plain, err := forward(s.bucket)
	if err != nil {
		return err
	}
	plain.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	group.ErrorHandler = func(w http.ResponseWriter, r *http.Request, _ error) { plain.ServeHTTP(w, r) }
	server, err := serveOn(ctx, group)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	for _, c := range s.cdns {
		err = errors.Join(err, c.Origin("http://"+server.Addr))
	}
	return err
}

func (s *judgedStage) close() {
	if s.origin != nil {
		_ = s.origin.Close()
	}
	s.faultStage.close()
}

func forward(to string) (*httputil.ReverseProxy, error) {
	u, err := url.Parse(to)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }}, nil
}

// serveOn serves at an address that is neither CDN's, until it is closed.
func serveOn(ctx context.Context, h http.Handler) (*http.Server, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Addr: l.Addr().String(), ReadHeaderTimeout: 5 * time.Second, Handler: h}
	go func() { _ = s.Serve(l) }() // ends by Close
	return s, nil
}
