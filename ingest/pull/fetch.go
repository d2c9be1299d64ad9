package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

var (
	errSilence = errors.New("nothing came for too long")
	errSlow    = errors.New("next to nothing comes")
	errTooLong = errors.New("too long")
)

// leastBytes is what must come within [Options.Silence]: less is no sound.
const leastBytes = 256

// A fetcher gets what is behind an address, within bounds.
type fetcher struct {
	client  *http.Client
	silence time.Duration
	got     func(bytes int) // counts
}

// A response is what came: its body must be closed.
type response struct {
	url    *url.URL // after redirects
	header http.Header
	length int64 // -1: not said
	status int   // 200 or 206
	*flow
}

// get asks for u. Each read of the body is bounded in time; all of it is not.
func (f *fetcher) get(ctx context.Context, u *url.URL, header http.Header) (*response, error) {
	if err := checkURL(u); err != nil {
		return nil, fmt.Errorf("get %s: %w", shown(u), err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("get %s: %w", shown(u), err)
	}
	r.Header = header.Clone()
	r.Header.Set("User-Agent", "Longwave")
	r.Header.Set("Accept-Encoding", "identity")
	res, err := f.client.Do(r) //nolint:bodyclose // flow closes it
	if err != nil {
		cancel(nil)
		if where, ok := errors.AsType[*url.Error](err); ok { // it names the address with its query
			err = where.Err
		}
		return nil, fmt.Errorf("get %s: %w", shown(u), err)
	}
	in := &flow{ctx: ctx, cancel: cancel, body: res.Body, silence: f.silence, count: f.got}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusPartialContent {
		in.Close()
		return nil, fmt.Errorf("get %s: %w", shown(u), statusError(res.StatusCode))
	}
	return &response{url: res.Request.URL, header: res.Header, length: res.ContentLength, status: res.StatusCode, flow: in}, nil
}

// A statusError is an answer that is none.
type statusError int

func (e statusError) Error() string {
	return fmt.Sprintf("the answer was %d %s", int(e), http.StatusText(int(e)))
}

// document gets the whole of something that has an end: within most bytes and time.
func (f *fetcher) document(ctx context.Context, u *url.URL, header http.Header, b bounds) (*response, []byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.time, errSlow)
	defer cancel()
	r, err := f.get(ctx, u, header)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	data, err := all(r, b.bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("get %s: %w", shown(u), err)
	}
	return r, data, nil
}

// bounds are how much something may be and how long it may take.
type bounds struct {
	bytes int
	time  time.Duration
}

var (
	listBounds    = bounds{1 << 20, 10 * time.Second}
	segmentBounds = bounds{16 << 20, 30 * time.Second}
)

// all reads r to its end, which must come within most bytes.
func all(r io.Reader, most int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("more than %d bytes: %w", most, errTooLong)
	}
	return data, err
}

// A flow is a body that is given up when it does not flow.
type flow struct {
	ctx     context.Context //nolint:containedctx // the request's
	cancel  context.CancelCauseFunc
	body    io.ReadCloser
	silence time.Duration
	count   func(int)

	waited time.Duration // in Read, since enough came
	came   int
	ended  bool
}

// Read waits for the other side; only that time counts, not what passes between reads.
func (f *flow) Read(b []byte) (int, error) {
	start := time.Now()
	t := time.AfterFunc(f.silence-f.waited, func() { f.cancel(errSilence) })
	defer t.Stop()
	n, err := f.body.Read(b)
	f.waited += time.Since(start)
	f.came += n
	f.count(n)
	if f.came >= leastBytes {
		f.came, f.waited = 0, 0
	}
	if errors.Is(err, io.EOF) {
		f.ended = true
		return n, io.EOF
	}
	if cause := context.Cause(f.ctx); err != nil && cause != nil {
		err = cause
		if f.came > 0 && errors.Is(err, errSilence) {
			err = errSlow
		}
	}
	return n, err
}

// Close ends the request.
func (f *flow) Close() {
	f.cancel(nil)
	_ = f.body.Close()
}
