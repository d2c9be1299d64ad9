package s3

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
)

// keysAge is how long keys of a file are used until it is read again: a broadcast is
// longer than some keys live.
const keysAge = time.Minute

// A keyFile reads keys from a file such as ~/.aws/credentials.
type keyFile struct {
	path, profile string

	mu   sync.Mutex
	last aws.Credentials // that could be read
}

// newKeyFile returns the keys in the file of o; nil when there is no file, or when it
// says in another way how to get some, which is the SDK's to do.
func newKeyFile(ctx context.Context, o Options) *aws.CredentialsCache {
	if o.CredentialsFile == "" {
		return nil
	}
	f := &keyFile{path: o.CredentialsFile, profile: o.profile()}
	if _, err := f.read(ctx); err != nil {
		return nil
	}
	return aws.NewCredentialsCache(f)
}

var errNoKeys = errors.New("the credentials file has no keys")

func (f *keyFile) read(ctx context.Context) (aws.Credentials, error) {
	shared, err := config.LoadSharedConfigProfile(ctx, f.profile, func(o *config.LoadSharedConfigOptions) {
		o.CredentialsFiles = []string{f.path}
		o.ConfigFiles = []string{}
	})
	if err != nil {
		return aws.Credentials{}, err
	}
	if !shared.Credentials.HasKeys() {
		return aws.Credentials{}, errNoKeys
	}
	return shared.Credentials, nil
}

// Retrieve implements [aws.CredentialsProvider]. A file that cannot be read just now,
// because somebody writes it, leaves the keys as they are.
func (f *keyFile) Retrieve(ctx context.Context) (aws.Credentials, error) {
	keys, err := f.read(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		f.last = keys
	case !f.last.HasKeys():
		return keys, err
	}
	keys = f.last
	keys.CanExpire, keys.Expires = true, time.Now().Add(keysAge)
	return keys, nil
}

// A signer signs with the SDK's, and with a new one when the secret key is another:
// the SDK's remembers what it derived from the one before by the access key alone, so
// a secret that was corrected would stay wrong.
type signer struct {
	mu     sync.Mutex
	secret string
	signer *v4.Signer
}

// SignHTTP implements the SDK's HTTPSignerV4.
//
//nolint:revive // the SDK's signature
func (s *signer) SignHTTP(
	ctx context.Context, keys aws.Credentials, r *http.Request,
	payloadHash, service, region string, at time.Time, opts ...func(*v4.SignerOptions),
) error {
	s.mu.Lock()
	if s.signer == nil || s.secret != keys.SecretAccessKey {
		s.secret = keys.SecretAccessKey
		s.signer = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // as S3 wants it
	}
	signer := s.signer
	s.mu.Unlock()
	return signer.SignHTTP(ctx, keys, r, payloadHash, service, region, at, opts...)
}
