package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"longwave/origin/store"
	"longwave/packager"
)

// maxSkew is how far our clock may be from the server's: signatures allow 15
// minutes, but playlists carry our time to listeners.
const maxSkew = 2 * time.Second

// Probe puts a small private object and looks at what the bucket makes of it. It
// takes about ten requests.
func (s *Store) Probe(ctx context.Context) store.Report {
	p := probe{
		s:      s,
		name:   store.Private("probe-" + strings.ToLower(rand.Text())),
		report: store.Report{Store: fmt.Sprintf("bucket %q at %s", s.opts.Bucket, s.where())},
	}
	if !p.list(ctx) || !p.write(ctx) {
		return p.report
	}
	p.read(ctx)
	p.headers(ctx)
	p.conditions(ctx)
	p.private(ctx)
	if err := s.Delete(ctx, p.name); err != nil {
		p.fatal("delete", err)
	} else {
		p.report.Add("delete", store.Good, "done")
	}
	return p.report
}

// A probe is one look at a bucket.
type probe struct {
	s      *Store
	name   store.Name
	etag   string
	report store.Report
}

var probeData = []byte(`{"probe":1}`)

// fatal enters an error: what the server refuses stays so until somebody acts, all
// else may pass by itself.
func (p *probe) fatal(check string, err error) {
	level := store.Away
	if errors.Is(err, store.ErrRefused) {
		level = store.Fatal
	}
	p.report.Add(check, level, "%v", err)
}

// list asks for one name: it shows whether the bucket is there and is ours, in a
// request whose answer says what is wrong (HEAD has no body).
func (p *probe) list(ctx context.Context) bool {
	ctx, cancel := p.s.deadline(ctx)
	defer cancel()
	out, err := p.s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &p.s.opts.Bucket, Prefix: &p.s.opts.Prefix, MaxKeys: aws.Int32(1),
	})
	if err != nil {
		p.fatal("bucket", p.s.explain(ctx, err))
		return false
	}
	p.report.Add("bucket", store.Good, "there, and may be listed")
	served, ok1 := middleware.GetServerTime(out.ResultMetadata)
	at, ok2 := middleware.GetResponseAt(out.ResultMetadata)
	if ok1 && ok2 {
		skew := at.Sub(served)
		if skew.Abs() > maxSkew {
			p.report.Add("clock", store.Warning, "this machine's is %v from the server's: set it by NTP", skew.Round(time.Second))
		} else {
			p.report.Add("clock", store.Good, "within %v of the server's", maxSkew)
		}
	}
	return true
}

// write puts the object as a segment is put: once, and to be kept for ever.
func (p *probe) write(ctx context.Context) bool {
	start := time.Now()
	ctx, cancel := p.s.deadline(ctx)
	defer cancel()
	out, err := p.s.client.PutObject(ctx, p.input(probeData))
	if err != nil {
		p.fatal("write", p.s.explain(ctx, err))
		return false
	}
	p.etag = aws.ToString(out.ETag)
	p.report.Add("write", store.Good, "%v until an object is safe", time.Since(start).Round(time.Millisecond))
	return true
}

func (p *probe) input(data []byte) *s3.PutObjectInput {
	in := p.s.input(p.name, data)
	in.CacheControl = aws.String(packager.CacheForever)
	return in
}

func (p *probe) read(ctx context.Context) {
	o, err := p.s.Get(ctx, p.name)
	switch {
	case err != nil:
		p.fatal("read", err)
	case !bytes.Equal(o.Data, probeData):
		p.report.Add("read", store.Fatal, "other bytes come back than were written")
	default:
		p.report.Add("read", store.Good, "the same bytes")
	}
}

func (p *probe) headers(ctx context.Context) {
	ctx, cancel := p.s.deadline(ctx)
	defer cancel()
	out, err := p.s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &p.s.opts.Bucket, Key: p.s.key(p.name)})
	if err != nil {
		p.fatal("headers", p.s.explain(ctx, err))
		return
	}
	for _, h := range []struct{ name, got, want string }{
		{"Cache-Control", aws.ToString(out.CacheControl), packager.CacheForever},
		{"Content-Type", aws.ToString(out.ContentType), p.name.ContentType()},
	} {
		if h.got == h.want {
			p.report.Add(h.name, store.Good, "kept")
		} else {
			p.report.Add(h.name, store.Fatal, "put %q, comes back as %q: CDNs would cache wrongly; use another provider", h.want, h.got)
		}
	}
}

// conditions writes other bytes on three conditions that do not hold. What is
// written all the same is the sign of a server that ignores conditions.
func (p *probe) conditions(ctx context.Context) {
	if p.s.opts.SingleWriter {
		p.report.Add("conditions", store.Warning, "not used: no other process may write to this bucket and prefix")
		return
	}
	absent := p.input([]byte("x"))
	absent.IfNoneMatch = aws.String("*")
	p.mustFail(ctx, "If-None-Match", absent)

	fresh := p.input([]byte(`{"probe":2}`))
	fresh.IfMatch = &p.etag
	if err := p.put(ctx, fresh); err != nil {
		p.fatal("If-Match", err)
		return
	}
	stale := p.input([]byte("x"))
	stale.IfMatch = &p.etag
	p.mustFail(ctx, "If-Match", stale)
}

func (p *probe) put(ctx context.Context, in *s3.PutObjectInput) error {
	ctx, cancel := p.s.deadline(ctx)
	defer cancel()
	_, err := p.s.client.PutObject(ctx, in)
	if err != nil && isPrecondition(err, store.Create) {
		return store.ErrConflict
	}
	return p.s.explain(ctx, err)
}

func (p *probe) mustFail(ctx context.Context, header string, in *s3.PutObjectInput) {
	switch err := p.put(ctx, in); {
	case errors.Is(err, store.ErrConflict):
		p.report.Add(header, store.Good, "honoured")
	case err == nil:
		p.report.Add(header, store.Fatal, "ignored: two writers would overwrite each other unseen; "+
			"set single_writer if there is one, or use another provider")
	default:
		p.fatal(header, err)
	}
}

// private asks for the object as anybody can. Where the bucket is a CDN's origin,
// what anybody can read here everybody can read there.
func (p *probe) private(ctx context.Context) {
	const check = "private objects"
	status, err := p.asPublic(ctx)
	switch {
	case err != nil:
		p.report.Add(check, store.Warning, "could not look whether the public can read them: %v", innermost(err))
	case status == http.StatusOK:
		p.report.Add(check, store.Fatal, "anybody can read them: take %s%s* out of what the bucket's policy allows (NotResource)",
			p.s.opts.Prefix, "_/")
	default:
		p.report.Add(check, store.Good, "hidden from the public (%d)", status)
	}
}

func (p *probe) asPublic(ctx context.Context) (int, error) {
	ctx, cancel := p.s.deadline(ctx)
	defer cancel()
	signed, err := s3.NewPresignClient(p.s.client).PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &p.s.opts.Bucket, Key: p.s.key(p.name),
	})
	if err != nil {
		return 0, err
	}
	bare, _, _ := strings.Cut(signed.URL, "?") // the signature is in the query
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, bare, nil)
	if err != nil {
		return 0, err
	}
	resp, err := p.s.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}
