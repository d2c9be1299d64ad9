package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"longwave/origin/store"
)

const (
	// defaultTimeout bounds an operation, its tries included. A segment is worth
	// putting for about as long as the live window; the queue in front of the
	// store sets shorter deadlines for what is worthless sooner.
	defaultTimeout = 10 * time.Second
	// defaultTries is how often an operation is tried. More is for the queue.
	defaultTries = 3
	// maxBackoff is the longest wait between tries, short against a segment.
	maxBackoff = 200 * time.Millisecond
	// defaultRegion signs requests for servers that have no regions.
	defaultRegion = "us-east-1"
	// maxConns is the number of connections kept open: five renditions with
	// parts, playlists and hedges, and some readers.
	maxConns = 64
)

// Options say which bucket, and how to speak to it.
type Options struct {
	// Bucket is the bucket's name. It must exist.
	Bucket string
	// Prefix comes before every name, for several stores in one bucket. It is
	// empty or ends with "/".
	Prefix string
	// Region is the bucket's. Empty: what the environment says, and us-east-1
	// with an Endpoint.
	Region string
	// Endpoint is the server's address, http:// or https://. Empty: AWS.
	Endpoint string
	// PathStyle puts the bucket into the path (host/bucket/key), not into the
	// host's name (bucket.host/key).
	PathStyle bool
	// CredentialsFile is a file such as ~/.aws/credentials. Keys in it are read again
	// every minute, and after a refusal. Empty: the SDK's chain of environment, shared
	// file and role.
	CredentialsFile string
	// Profile is the section of the file. Empty: "default".
	Profile string
	// SingleWriter is for servers that do not honour If-None-Match and If-Match
	// on PUT (B2, Google Cloud Storage). Conditions then hold among the users of
	// this Store only: no other process may write under the same prefix.
	SingleWriter bool
	// Timeout bounds each operation. 0 means 10 s.
	Timeout time.Duration
	// Tries is how often an operation is tried within Timeout. 0 means 3.
	Tries int
}

// A Store is a [store.Store] in a bucket.
type Store struct {
	client   *s3.Client
	http     *http.Client // without credentials, to look as the public does
	opts     Options
	keys     *aws.CredentialsCache // of a credentials file; nil: the SDK's chain
	locks    keyLocks              // used with SingleWriter
	versions versions
}

var _ store.Store = (*Store)(nil)

// New returns the store in o.Bucket. It looks for credentials, and does not speak
// to the bucket: see [Store.Probe].
func New(ctx context.Context, o Options) (*Store, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("s3 store: %w", err)
	}
	var load []func(*config.LoadOptions) error
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.CredentialsFile != "" {
		load = append(load, config.WithSharedCredentialsFiles([]string{o.CredentialsFile}))
	}
	if o.Profile != "" || o.CredentialsFile != "" {
		// A profile that is named comes before the environment.
		load = append(load, config.WithSharedConfigProfile(o.profile()))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("s3 store: read credentials and region: %w", err)
	}
	if cfg.Region == "" {
		if o.Endpoint == "" {
			return nil, errors.New("s3 store: no region: say in which region the bucket is")
		}
		cfg.Region = defaultRegion
	}
	o.Region = cfg.Region
	s := &Store{http: &http.Client{}, opts: o}
	if s.keys = newKeyFile(ctx, o); s.keys != nil {
		cfg.Credentials = s.keys
	}
	s.client = newClient(cfg, o)
	return s, nil
}

func (o *Options) profile() string {
	if o.Profile == "" {
		return config.DefaultSharedConfigProfile
	}
	return o.Profile
}

// complete checks the options and fills in what follows from others.
func (o *Options) complete() error {
	if o.Bucket == "" {
		return errors.New("no bucket: name one that exists")
	}
	if strings.HasPrefix(o.Prefix, "/") || o.Prefix != "" && !strings.HasSuffix(o.Prefix, "/") {
		return fmt.Errorf("prefix %q: it must end with a slash and not begin with one", o.Prefix)
	}
	if o.Endpoint != "" {
		u, err := url.Parse(o.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
			return errors.New("the endpoint is not an address such as https://s3.example.com")
		}
		if u.User != nil {
			return errors.New("the endpoint holds a password: put credentials into a file")
		}
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Tries == 0 {
		o.Tries = defaultTries
	}
	return nil
}

func newClient(cfg aws.Config, o Options) *s3.Client {
	return s3.NewFromConfig(cfg, func(so *s3.Options) {
		if o.Endpoint != "" {
			so.BaseEndpoint = &o.Endpoint
			// Many servers refuse the checksum headers that the SDK adds by
			// default. The signature covers a SHA-256 of the body all the same.
			so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		}
		so.UsePathStyle = o.PathStyle
		so.HTTPSignerV4 = new(signer)
		so.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = maxConns, maxConns
		})
		so.Retryer = retry.AddWithErrorCodes(retry.NewStandard(func(ro *retry.StandardOptions) {
			ro.MaxAttempts = o.Tries
			ro.MaxBackoff = maxBackoff
			// The SDK's token bucket stops all tries after some failures; how
			// much to try is the queue's to say.
			ro.RateLimiter = ratelimit.None
		}), "ConditionalRequestConflict") // two conditional writes met: neither is decided
	})
}

// key returns where the object n is in the bucket.
func (s *Store) key(n store.Name) *string { return aws.String(s.opts.Prefix + string(n)) }

// deadline gives an operation its time.
func (s *Store) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	cause := fmt.Errorf("no answer from %s within %v: %w", s.where(), s.opts.Timeout, context.DeadlineExceeded)
	return context.WithTimeoutCause(ctx, s.opts.Timeout, cause)
}

// where names the server for people.
func (s *Store) where() string {
	if s.opts.Endpoint != "" {
		return s.opts.Endpoint
	}
	return "AWS S3 in " + s.opts.Region
}
