package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

// A place is where edges are to stand.
type place struct {
	Listen     string // port of the edge; Varnish has it as an argument
	Origin     string // host:port, plain HTTP
	Second     string // host:port of what has plain playlists under the same keys; empty: nothing
	SecondPath string // before the keys there, as in /bucket/a
	Secret     string // shown to the origin; empty: none
	Cache      string // folder of Traffic Server's and nginx's caches
	Purge      string // addresses and networks from where PURGE is taken, with commas

	// TLS. Varnish has none: HAProxy stands before it and behind it.
	TLSListen string // port of HAProxy
	Inner     string // port of this machine, and the one after it, on which HAProxy takes what goes to the origin and the second
	Cert      string // file with the certificate that listeners see, and its key; empty: plain HTTP
	CA        string // file with the authorities of the origin's certificate
	OriginTLS bool
	SecondTLS bool
}

// local is the place that the committed files are for.
var local = place{
	Listen: "8000", Origin: "127.0.0.1:8080", Second: "127.0.0.1:8081", Cache: "/var/cache/longwave", Purge: "127.0.0.1,::1",
	TLSListen: "443", Inner: "18080", CA: "/etc/ssl/certs/ca-certificates.crt",
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "edge:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	p, secretFile, out := local, "", ""
	f := flag.NewFlagSet("edge", flag.ContinueOnError)
	f.StringVar(&p.Listen, "listen", p.Listen, "port of the edge (Varnish has it as its own argument)")
	f.StringVar(&p.Origin, "origin", p.Origin, "host:port of the origin, or https://host:port")
	f.StringVar(&p.Second, "second", p.Second, "host:port, or https://host:port, of a bucket or an origin that follows one, for when the origin is dead; empty: none")
	f.StringVar(&p.SecondPath, "second-path", p.SecondPath, "what stands before the keys there, as in /bucket/a (not Traffic Server)")
	f.StringVar(&secretFile, "secret-file", "", "file with the secret that the origin demands (shield.secret_file), first line")
	f.StringVar(&p.Cache, "cache", p.Cache, "folder of the caches of Traffic Server and nginx")
	f.StringVar(&p.Purge, "purge", p.Purge, "addresses and networks that may take things out of the cache, as in 127.0.0.1,10.0.0.0/8; empty: none (Varnish and Traffic Server)")
	f.StringVar(&p.Cert, "cert", p.Cert, "file with the certificate that listeners are shown, those between it and its authority, and its key (PEM); empty: plain HTTP")
	f.StringVar(&p.CA, "ca", p.CA, "file with the authorities that may have signed the certificate of an origin with https")
	f.StringVar(&p.TLSListen, "tls-listen", p.TLSListen, "port of HAProxy before Varnish")
	f.StringVar(&p.Inner, "inner", p.Inner, "port of this machine for HAProxy between Varnish and an origin with https; the next one is for the second")
	f.StringVar(&out, "out", "infra/edge", "folder to write to")
	if err := f.Parse(args); err != nil {
		return err
	}
	p.Origin, p.OriginTLS = strings.CutPrefix(p.Origin, "https://")
	p.Second, p.SecondTLS = strings.CutPrefix(p.Second, "https://")
	if secretFile != "" {
		b, err := os.ReadFile(secretFile)
		if err != nil {
			return fmt.Errorf("secret: %w", err)
		}
		p.Secret, _, _ = strings.Cut(strings.TrimSpace(string(b)), "\n")
	}
	files, err := generate(p)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if p.Secret != "" {
		mode = 0o640
	}
	for name, data := range files {
		name = filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if err := os.WriteFile(name, data, mode); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

// safe is what may stand between quotes in all three languages.
var safe = regexp.MustCompile(`^[\w.:/+=@, -]*$`)

// check refuses what would break out of a file.
func (p place) check() error {
	for _, s := range []string{p.Listen, p.Origin, p.Second, p.SecondPath, p.Secret, p.Cache, p.Cert, p.CA} {
		if !safe.MatchString(s) {
			return errors.New("an address, a path or the secret has characters that do not fit in a configuration: letters, digits and . : / + = @ _ - do")
		}
	}
	if _, _, err := net.SplitHostPort(p.Origin); err != nil {
		return fmt.Errorf("-origin: %w", err)
	}
	for _, port := range []string{p.Inner, p.TLSListen} {
		if _, err := strconv.ParseUint(port, 10, 16); port != "" && err != nil {
			return fmt.Errorf("-inner, -tls-listen: %q is not a port", port)
		}
	}
	for _, addr := range p.Purgers() {
		if _, err := netip.ParsePrefix(addr); err != nil {
			if _, err := netip.ParseAddr(addr); err != nil {
				return fmt.Errorf("-purge: %w", err)
			}
		}
	}
	if p.Second != "" {
		if _, _, err := net.SplitHostPort(p.Second); err != nil {
			return fmt.Errorf("-second: %w", err)
		}
	}
	return nil
}

// Near are the addresses that Varnish asks.
func (p place) Near() (origin, second string) {
	origin, second = p.Origin, p.Second
	inner, err := strconv.Atoi(p.Inner)
	if p.OriginTLS && err == nil {
		origin = net.JoinHostPort("127.0.0.1", strconv.Itoa(inner))
	}
	if p.SecondTLS && err == nil {
		second = net.JoinHostPort("127.0.0.1", strconv.Itoa(inner+1))
	}
	return origin, second
}

// NearOrigin and NearSecond are those of [place.Near], for templates.
func (p place) NearOrigin() string { origin, _ := p.Near(); return origin }

// NearSecond is the other one.
func (p place) NearSecond() string { _, second := p.Near(); return second }

// Purgers are the addresses and networks from where PURGE is taken.
func (p place) Purgers() []string {
	return strings.FieldsFunc(p.Purge, func(r rune) bool { return r == ',' })
}

// generate returns the files by their names.
func generate(p place) (map[string][]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	rules, err := json.MarshalIndent(newTable(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("rules.json: %w", err)
	}
	files := map[string][]byte{"rules.json": append(rules, '\n')}
	all := template.New("").Funcs(template.FuncMap{"join": strings.Join, "names": names, "acl": acl, "host": host, "port": port, "slashed": slashes})
	return files, fs.WalkDir(templates, "templates", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		t, err := all.New(name).ParseFS(templates, name)
		if err != nil {
			return fmt.Errorf("template: %w", err)
		}
		var b bytes.Buffer
		data := struct {
			place
			Rules table
		}{p, newTable()}
		if err := t.ExecuteTemplate(&b, filepath.Base(name), data); err != nil {
			return fmt.Errorf("template: %w", err)
		}
		files[strings.TrimSuffix(strings.TrimPrefix(name, "templates/"), ".tmpl")] = b.Bytes()
		return nil
	})
}

func host(addr string) string { h, _, _ := net.SplitHostPort(addr); return h }
func port(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }

// names is a regular expression of these names.
func names(list []string) string {
	quoted := make([]string, len(list))
	for i, name := range list {
		quoted[i] = regexp.QuoteMeta(name)
	}
	return strings.Join(quoted, "|")
}

// acl is an address or network in Varnish's words.
func acl(addr string) string {
	at, bits, masked := strings.Cut(addr, "/")
	if !masked {
		return fmt.Sprintf("%q", at)
	}
	return fmt.Sprintf("%q/%s", at, bits)
}

// slashes makes a regular expression fit between slashes, and takes off its first slash:
// Traffic Server's paths have none.
func slashes(re string) string {
	return strings.ReplaceAll(strings.Replace(re, "^/", "^", 1), "/", `\/`)
}
