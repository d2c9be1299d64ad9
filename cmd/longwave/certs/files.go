package certs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"longwave/cmd/longwave/config"
)

// fileLook is how often the files are looked at. They are read whole: it is a few KiB,
// and times of change say nothing where files are swapped by links (cert-manager).
const fileLook = 10 * time.Second

// A fileSource is a certificate in two files, which others renew: certbot,
// cert-manager, a hand. A new one is taken when it is as good as the first had to be:
// key and certificate belong together, it names our hosts, and it is valid now. If not,
// the old one stays.
type fileSource struct {
	options
	config  config.TLS
	current atomic.Pointer[tls.Certificate]

	taken fileSum // of current
	told  time.Time
	bad   fileSum // what was no good, at the last look
	known bool    // it is no good and was told
}

// A fileSum stands for what is in the two files.
type fileSum [sha256.Size]byte

// openFiles reads the files. Its error is one line that says what to do.
func openFiles(c config.TLS, o options) (*fileSource, error) {
	f := &fileSource{options: o, config: c}
	files, err := f.read()
	cert, err := f.judge(files, err)
	if ended, ok := errors.AsType[endedError](err); ok && o.old {
		o.log.Error("going on with a certificate that browsers refuse", "err", ended)
		err = nil
	}
	if err != nil {
		return nil, err
	}
	f.take(cert, files.sum())
	return f, nil
}

// certificate implements source.
func (f *fileSource) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.current.Load(), nil
}

// leaf implements source.
func (f *fileSource) leaf() *x509.Certificate { return f.current.Load().Leaf }

// run implements source. It looks at the files now and then, and at once after
// SIGHUP, which is what those who renew certificates can send.
func (f *fileSource) run(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	return f.watch(ctx, hup)
}

func (f *fileSource) watch(ctx context.Context, hup <-chan os.Signal) error {
	tick := time.NewTicker(fileLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.look(false)
		case <-hup:
			f.look(true)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look takes the files if they have changed. What is no good is told once: at once when
// somebody asked, else when it is still so at the next look, because whoever writes two
// files is in between for a moment.
func (f *fileSource) look(asked bool) {
	files, err := f.read()
	sum := files.sum()
	if sum == f.taken {
		f.bad, f.known = fileSum{}, false
		if time.Since(f.told) >= 24*time.Hour {
			f.tell()
		}
		return
	}
	cert, err := f.judge(files, err)
	if err == nil {
		f.take(cert, sum)
		f.changes.WithLabelValues(resultDone).Inc()
		return
	}
	again := f.bad == sum
	f.known = f.known && again
	f.bad = sum
	if asked || again && !f.known {
		f.known = true
		f.changes.WithLabelValues(resultFailed).Inc()
		f.log.Error("the new certificate is no good: the old one stays", "err", err)
	}
}

// take shows cert from now on.
func (f *fileSource) take(cert *tls.Certificate, sum fileSum) {
	f.current.Store(cert)
	f.taken, f.bad, f.known = sum, fileSum{}, false
	f.tell()
	var unknown x509.UnknownAuthorityError
	if err := signed(cert); errors.As(err, &unknown) {
		f.log.Warn("this machine does not know who signed the certificate: browsers may not either; with certbot it is fullchain.pem that is needed",
			"file", f.config.Certificate, "issuer", cert.Leaf.Issuer.String())
	}
}

func (f *fileSource) tell() {
	f.told = time.Now()
	tellCertificate(f.log, f.leaf(), f.told)
}

// A filePair is what is in the two files.
type filePair struct{ cert, key []byte }

func (p filePair) sum() fileSum {
	return sha256.Sum256(bytes.Join([][]byte{p.cert, p.key}, []byte{0}))
}

// read reads the files, as far as they are there.
func (f *fileSource) read() (p filePair, err error) {
	var certErr, keyErr error
	if p.cert, certErr = os.ReadFile(f.config.Certificate); certErr != nil {
		certErr = fmt.Errorf("tls.certificate: %w", certErr)
	}
	if p.key, keyErr = os.ReadFile(f.config.Key); keyErr != nil {
		keyErr = fmt.Errorf("tls.key: %w", keyErr)
	}
	return p, cmp.Or(certErr, keyErr)
}

// judge returns the certificate of p, which came with err, or why it does not serve.
// With an endedError it returns it all the same.
func (f *fileSource) judge(p filePair, err error) (*tls.Certificate, error) {
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		return nil, fmt.Errorf("tls.certificate %s and tls.key %s: %s", f.config.Certificate, f.config.Key, strings.TrimPrefix(err.Error(), "tls: "))
	}
	leaf := cert.Leaf
	for _, name := range f.config.Names {
		if leaf.VerifyHostname(name) != nil {
			return nil, fmt.Errorf("tls.certificate %s: it names %s and not %s: take another, or say in tls.names what it is to name",
				f.config.Certificate, strings.Join(namesOf(leaf), ", "), name)
		}
	}
	now := time.Now()
	if now.Before(leaf.NotBefore) {
		return nil, fmt.Errorf("tls.certificate %s: it begins on %s: is the clock right?", f.config.Certificate, day(leaf.NotBefore))
	}
	if now.After(leaf.NotAfter) {
		return &cert, endedError{f.config.Certificate, leaf.NotAfter}
	}
	return &cert, nil
}

// An endedError is a certificate whose time is over, and nothing else.
type endedError struct {
	file string
	end  time.Time
}

func (e endedError) Error() string {
	return fmt.Sprintf("tls.certificate %s: it ended on %s: renew it", e.file, day(e.end))
}

// signed verifies cert as a browser does that knows whom this machine knows.
func signed(cert *tls.Certificate) error {
	between := x509.NewCertPool()
	for _, der := range cert.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{Intermediates: between})
	return err
}
