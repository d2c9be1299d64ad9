package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"longwave/origin/store"
)

// An Error is what a bucket's failure means and what to do about it, in one line
// and without credentials. It wraps [store.ErrRefused], [store.ErrNotFound] or
// [store.ErrFull] where that is what it means, and the SDK's error.
type Error struct {
	// Code is the server's word for it, such as "AccessDenied"; empty when there
	// was no answer.
	Code string
	// RequestID is what the provider's support asks for.
	RequestID string
	text      string
	kind      error // nil: it may pass by itself
	cause     error
}

func (e *Error) Error() string {
	if e.RequestID == "" {
		return e.text
	}
	return fmt.Sprintf("%s (%s, request %s)", e.text, e.Code, e.RequestID)
}

// Unwrap returns what e wraps.
func (e *Error) Unwrap() []error {
	if e.kind == nil {
		return []error{e.cause}
	}
	return []error{e.kind, e.cause}
}

// advice says what a server's error code means, and what to do.
var advice = map[string]struct {
	kind error
	text string
}{
	"NoSuchBucket":   {store.ErrRefused, "bucket {bucket} does not exist at {where}: make it, or correct bucket, endpoint and path_style"},
	"NoSuchKey":      {store.ErrNotFound, "no such object"},
	"NotFound":       {store.ErrNotFound, "no such object"},
	"AccessDenied":   {store.ErrRefused, "access to bucket {bucket} denied: these credentials need s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket"},
	"Forbidden":      {store.ErrRefused, "access to bucket {bucket} denied: these credentials need s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket"},
	"AccountProblem": {store.ErrRefused, "the account of bucket {bucket} has a problem: look into the provider's console"},

	"InvalidAccessKeyId":    {store.ErrRefused, "{where} does not know the access key: renew the credentials, or correct the endpoint"},
	"XAdminUserNotFound":    {store.ErrRefused, "{where} does not know the access key: renew the credentials, or correct the endpoint"}, // versitygw
	"SignatureDoesNotMatch": {store.ErrRefused, "the secret key does not belong to the access key: put both in again"},
	"InvalidSecurity":       {store.ErrRefused, "{where} does not accept the credentials: renew them"},
	"ExpiredToken":          {store.ErrRefused, "the credentials have expired: renew them"},
	"ExpiredTokenException": {store.ErrRefused, "the credentials have expired: renew them"},
	"TokenRefreshRequired":  {store.ErrRefused, "the credentials have expired: renew them"},
	"InvalidToken":          {store.ErrRefused, "the session token is wrong or has expired: renew the credentials"},
	"RequestTimeTooSkewed":  {store.ErrRefused, "the clock of this machine is wrong: set it by NTP"},
	"RequestExpired":        {store.ErrRefused, "the clock of this machine is wrong: set it by NTP"},

	"PermanentRedirect":                  {store.ErrRefused, "bucket {bucket} is not in region {region}: correct the region or the endpoint"},
	"MovedPermanently":                   {store.ErrRefused, "bucket {bucket} is not in region {region}: correct the region or the endpoint"},
	"AuthorizationHeaderMalformed":       {store.ErrRefused, "bucket {bucket} is not in region {region}: correct the region"},
	"IllegalLocationConstraintException": {store.ErrRefused, "bucket {bucket} is not in region {region}: correct the region"},
	"InvalidBucketName":                  {store.ErrRefused, "{bucket} cannot be the name of a bucket"},

	"NotImplemented": {store.ErrRefused, "{where} does not do what was asked for: if it has no conditional writes, set single_writer"},
	"QuotaExceeded":  {store.ErrFull, "bucket {bucket} has reached its quota: raise it or keep less"},
	"EntityTooLarge": {store.ErrRefused, "{where} does not take an object of this size"},

	"SlowDown":           {nil, "{where} asks us to slow down"},
	"TooManyRequests":    {nil, "{where} asks us to slow down"},
	"ServiceUnavailable": {nil, "{where} is not available at the moment"},
	"InternalError":      {nil, "{where} has an error of its own"},
	"RequestTimeout":     {nil, "{where} did not get all of the request in time"},
}

// explain turns an error of the SDK into an [Error]. Errors of ours pass.
func (s *Store) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrConflict):
		return err
	case ctx.Err() != nil: // the SDK says "canceled" for a deadline, too
		return context.Cause(ctx)
	}
	e := &Error{Code: code(err), cause: err}
	if a, ok := advice[e.Code]; ok {
		e.kind, e.text = a.kind, s.names(a.text)
	} else {
		e.text, e.kind = s.unknown(err, e.Code)
	}
	if errors.Is(e.kind, store.ErrRefused) && s.keys != nil {
		s.keys.Invalidate() // they may have been renewed
	}
	if resp, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		e.RequestID = resp.ServiceRequestID()
		if region := resp.Response.Header.Get("X-Amz-Bucket-Region"); region != "" && region != s.opts.Region {
			e.text = fmt.Sprintf("bucket %q is in region %s, not %s: correct the region", s.opts.Bucket, region, s.opts.Region)
		}
	}
	return e
}

// names puts the store's names into an advice.
func (s *Store) names(text string) string {
	return strings.NewReplacer(
		"{bucket}", strconv.Quote(s.opts.Bucket),
		"{where}", s.where(),
		"{region}", s.opts.Region,
	).Replace(text)
}

// unknown says what it can of an error that has no code in the table.
func (s *Store) unknown(err error, code string) (text string, kind error) {
	var (
		dns       *net.DNSError
		network   net.Error
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case code != "":
		return fmt.Sprintf("%s answers %s, status %d", s.where(), code, status(err)), nil
	case status(err) != 0:
		return fmt.Sprintf("%s answers with status %d %s", s.where(), status(err), http.StatusText(status(err))), nil
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &invalid):
		return fmt.Sprintf("the certificate of %s is not to be trusted: %v", s.where(), innermost(err)), store.ErrRefused
	case errors.As(err, &dns):
		return fmt.Sprintf("the name of %s cannot be resolved: correct the endpoint, or look at the network", s.where()), nil
	case strings.Contains(err.Error(), "get credentials"), strings.Contains(err.Error(), "refresh cached credentials"):
		return "no credentials: give a credentials file, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", store.ErrRefused
	case errors.As(err, &network):
		return fmt.Sprintf("cannot reach %s: %v", s.where(), innermost(err)), nil
	}
	return fmt.Sprintf("talking to %s: %v", s.where(), innermost(err)), nil
}

// innermost returns the error at the end of the chain: the one that says what
// happened and not, once more, to whom.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

func isMissing(err error) bool {
	c := code(err)
	return c == "NoSuchKey" || c == "NotFound"
}

// code returns the server's error code, empty when there is none.
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// status returns the HTTP status of the answer, 0 when there was none.
func status(err error) int {
	if resp, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return resp.HTTPStatusCode()
	}
	return 0
}
