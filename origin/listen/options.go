package listen

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"time"
)

// Options say what to listen to. Only URL is required.
type Options struct {
	// URL is of a page, a multivariant playlist or a media playlist.
	URL string
	// For is how long to listen; zero means until the context ends.
	For time.Duration
	// Renditions are the names of those to follow; none means all.
	Renditions []string
	// Slack is what the network and this machine may add to the time in which a part
	// or segment must come, before it counts as late; zero means 100 ms.
	Slack time.Duration
	// Decode has ffmpeg decode everything, for its level.
	Decode bool
	// Transport makes the requests; nil means a new one over TCP. It must not
	// decompress.
	Transport http.RoundTripper
	// Progress is called every second, from one goroutine; nil: nobody is told.
	Progress func(Progress)
}

// A Progress is how far a listener has come.
type Progress struct {
	Elapsed         time.Duration
	Renditions      int
	Segments, Parts int
	Bytes           int64
	Delay           Spread
	Stalls          int
	Must, Should    int // rules broken
}

// ErrOptions is wrapped by the errors of [New], and by those of [Listener.Run] when a
// rendition that was picked is not there.
var ErrOptions = errors.New("cannot listen like this")

// A Listener listens once.
type Listener struct {
	opt Options
	url *url.URL
}

// New returns a listener.
func New(opt Options) (*Listener, error) {
	u, err := url.Parse(opt.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("%w: %q is no address: use one like http://localhost:8080/talk/", ErrOptions, opt.URL)
	}
	u.Fragment = ""
	if opt.For < 0 || opt.Slack < 0 {
		return nil, fmt.Errorf("%w: times are not negative", ErrOptions)
	}
	if opt.Slack == 0 {
		opt.Slack = 100 * time.Millisecond
	}
	if opt.Decode {
		if _, err := exec.LookPath("ffmpeg"); err != nil {
			return nil, fmt.Errorf("%w: ffmpeg is not installed and decoding needs it: apt install ffmpeg", ErrOptions)
		}
	}
	return &Listener{opt: opt, url: u}, nil
}
