package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
)

// words says an error of the network so that a person knows what to look at. What is
// returned is one line.
func words(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	var dns *net.DNSError
	var op *net.OpError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("no host is called %s", dns.Name)
	case errors.As(err, &dns):
		return fmt.Errorf("the name %s cannot be looked up", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED) && errors.As(err, &op):
		return fmt.Errorf("nothing answers at %v: is it running?", op.Addr)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return errors.New("there is no way to that host")
	case errors.As(err, &unknown):
		return errors.New("the certificate is signed by nobody that this machine trusts")
	case errors.As(err, &name):
		return errors.New("the certificate is for another name")
	case errors.As(err, &invalid):
		return fmt.Errorf("the certificate is not valid: %w", invalid)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return errors.New("the server does not speak TLS there: try http instead of https")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("no answer in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errors.New("the server cut the connection")
	}
	return err
}
