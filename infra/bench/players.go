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
	strike func(*faultStage) string // while they listen
	dead   cdn.Fault                // what CDN A is when they come
	bucket bool                     // the CDNs go to the bucket when the node does not answer
	after  time.Duration            // how long it is listened after the fault; default 30 s
}

const (
	judgedSecond  = 8 // when the fault comes, after the press
	judgedAfter   = 30 * time.Second
	judgedPatient = 50 * time.Second // where players wait for an answer
	judgedStart   = 25 * time.Second // how long a start may take
)

var judgedRows = []judgedRow{
	{name: "CDN A refuses", strike: cdnFails(cdn.Refused)},
	{name: "CDN A answers 404", strike: cdnFails(cdn.Absent)},
	{name: "CDN A answers 503", strike: cdnFails(cdn.Broken)},
	{name: "CDN A never answers", strike: cdnFails(cdn.Hangs), after: judgedPatient},
	{name: "CDN A is frozen", strike: cdnFails(cdn.Frozen), after: judgedPatient},
	{name: "CDN A answers HTML", strike: cdnFails(cdn.HTML)},
	{name: "CDN A has another station", strike: cdnFails(cdn.Mixed)},
	{name: "only node killed and restarted", strike: killNode},
	{name: "all origins dead, store alive", strike: func(s *faultStage) string {
		return s.fail(0, cdn.Refused) + "; " + s.fail(1, cdn.Refused)
	}},
	{name: "node dead, its CDNs go to the bucket", bucket: true, strike: killNode},
	{name: "start, CDN A refuses", dead: cdn.Refused},
	{name: "start, CDN A answers 503", dead: cdn.Broken},
	{name: "start, CDN A never answers", dead: cdn.Hangs},
}

func killNode(s *faultStage) string { return fmt.Sprintf("kill -9 %d", s.nodes[0].pid()) }

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
	begin, err := now()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := b.openJudgedStage(ctx, row)
	if s != nil {
		defer s.close()
	}
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
	if !row.bucket {
		g.Go(func() error { return s.supervise(watching) })
	}
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
	if row.strike == nil {
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
		end = "was never heard" + v.last()
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
func (b *bench) audition(ctx context.Context, s *faultStage, row judgedRow, who []judge) (map[string]verdict, error) {
	dir := filepath.Join(b.root, "infra", "bench", "players")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "video.js")); err != nil {
		return nil, fmt.Errorf("the players are not installed (%w): run make setup-test", err)
	}
	pages, err := servePages(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer pages.Close()
	length := judgedStart
	args := []string{filepath.Join(dir, "players.mjs")}
	if row.strike != nil {
		length = judgedSecond*time.Second + row.after
		args = append(args, "--fault", fmt.Sprintf("%d=%s", judgedSecond, row.strike(s)))
	}
	args = append(args, "--seconds", fmt.Sprint(length.Seconds()))
	for _, j := range who {
		at := s.page + "/" + station + "/"
		if j.page != "" {
			at = "http://" + pages.Addr + "/" + j.page + "?url=" + url.QueryEscape(at+"index.m3u8")
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

// servePages serves the players' pages, at an address that is neither CDN's.
func servePages(ctx context.Context, dir string) (*http.Server, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Addr: l.Addr().String(), ReadHeaderTimeout: 5 * time.Second, Handler: http.FileServer(http.Dir(dir))}
	go func() { _ = s.Serve(l) }() // ends by Close
	return s, nil
}

// openJudgedStage is a node behind two CDNs of two hosts, with two renditions of AAC, so
// that a player may take the other one for a way out.
func (b *bench) openJudgedStage(ctx context.Context, row judgedRow) (*faultStage, error) {
	s := &faultStage{b: b}
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
	bucket, err := s.serveFiles(ctx, filepath.Join(data, "store"))
	if err != nil {
		return s, err
	}
	hold := filepath.Join(b.tmp, "faint.wav")
	if err := faint(ctx, hold); err != nil {
		return s, err
	}
	s.options = nodeOptions{
		profile: "low", play: "-", data: data, renditions: []string{"opus-96", "aac-48", "aac-96"}, second: hold,
		more: append(lines, fmt.Sprintf("  - {id: store, url: %q, plain: true}", bucket)),
	}
	if err := errors.Join(s.startNode(ctx, 0), s.ready(ctx)); err != nil {
		return s, err
	}
	if row.bucket {
		if err := s.goToBucket(ctx, bucket); err != nil {
			return s, err
		}
	}
	if row.dead != "" { // long enough for the probes to know
		return s, errors.Join(pause(ctx, 3*time.Second), s.cdns[0].Fail(ctx, row.dead), pause(ctx, 12*time.Second))
	}
	return s, pause(ctx, 3*time.Second)
}

// goToBucket puts between the CDNs and the node what goes to the bucket when the node
// does not answer, as their origin groups do.
func (s *faultStage) goToBucket(ctx context.Context, bucket string) error {
	first, err := url.Parse(s.nodes[0].base)
	if err != nil {
		return err
	}
	second, err := url.Parse(bucket)
	if err != nil {
		return err
	}
	to := func(u *url.URL) *httputil.ReverseProxy {
		return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }}
	}
	group, plain := to(first), to(second)
	group.ErrorHandler = func(w http.ResponseWriter, r *http.Request, _ error) { plain.ServeHTTP(w, r) }
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: group}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(l) }() // ends by Close
	for _, c := range s.cdns {
		err = errors.Join(err, c.Origin("http://"+l.Addr().String()))
	}
	return err
}
