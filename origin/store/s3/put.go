package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"longwave/origin/store"
	"longwave/packager"
)

// writeIDKey is the metadata that tells one conditional write from another.
const writeIDKey = "longwave-write"

// Put implements [packager.Sink].
func (s *Store) Put(ctx context.Context, o packager.Object) error {
	_, err := s.PutIf(ctx, store.NameOf(o.Key), o.Data, store.Always)
	return err
}

// PutIf implements [store.Putter].
func (s *Store) PutIf(ctx context.Context, n store.Name, data []byte, c store.Condition) (store.ETag, error) {
	mode, want, err := c.On(n, len(data))
	if err != nil {
		return "", fmt.Errorf("put %q: %w", n, err)
	}
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	put := s.put
	if s.opts.SingleWriter {
		put = s.putAlone
	}
	etag, err := put(ctx, n, data, mode, want)
	if err != nil {
		return "", fmt.Errorf("put %q: %w", n, s.explain(ctx, err))
	}
	return etag, nil
}

// put writes and leaves the condition to the server.
func (s *Store) put(ctx context.Context, n store.Name, data []byte, mode store.Mode, want store.ETag) (store.ETag, error) {
	if mode == store.Replace {
		return s.replace(ctx, n, data)
	}
	in := s.input(n, data)
	if mode == store.Compare {
		in.IfMatch = (*string)(&want)
	} else {
		in.IfNoneMatch = aws.String("*")
	}
	if mode != store.CreateOnce {
		in.Metadata = map[string]string{writeIDKey: rand.Text()}
	}
	out, err := s.client.PutObject(ctx, in)
	switch {
	case err == nil:
		return store.ETag(aws.ToString(out.ETag)), nil
	case !isPrecondition(err, mode):
		return "", err
	case mode == store.CreateOnce:
		return s.sameBytes(ctx, n, data)
	}
	return s.ownWrite(ctx, in)
}

// input is the PUT of the object n.
func (s *Store) input(n store.Name, data []byte) *s3.PutObjectInput {
	return &s3.PutObjectInput{
		Bucket:        &s.opts.Bucket,
		Key:           s.key(n),
		Body:          bytes.NewReader(data), // can be read again by another try
		ContentLength: aws.Int64(int64(len(data))),
		ContentType:   aws.String(n.ContentType()),
		CacheControl:  aws.String(n.CacheControl()),
	}
}

// isPrecondition reports whether the server says that the condition does not
// hold. If-Match on an object that is not there is 404, not 412.
func isPrecondition(err error, mode store.Mode) bool {
	switch code(err) {
	case "PreconditionFailed":
		return true
	case "NoSuchKey", "NotFound":
		return mode == store.Compare
	}
	return status(err) == 412
}

// sameBytes is the end of a write under an immutable name that is taken: by the
// same bytes is a success, whoever put them.
func (s *Store) sameBytes(ctx context.Context, n store.Name, data []byte) (store.ETag, error) {
	o, err := s.get(ctx, n)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(o.Data, data) {
		return "", store.ErrConflict
	}
	return o.ETag, nil
}

// ownWrite is the end of a write whose condition does not hold: an earlier try of
// it may have been stored and its answer lost. Then what is there bears the mark
// of this write.
func (s *Store) ownWrite(ctx context.Context, in *s3.PutObjectInput) (store.ETag, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: in.Bucket, Key: in.Key})
	if err != nil && !isMissing(err) {
		return "", err
	}
	if err != nil || out.Metadata[writeIDKey] != in.Metadata[writeIDKey] {
		return "", store.ErrConflict
	}
	return store.ETag(aws.ToString(out.ETag)), nil
}

// putAlone writes and looks at the condition by itself, for servers that do not.
// Nobody else in this process writes n meanwhile.
func (s *Store) putAlone(ctx context.Context, n store.Name, data []byte, mode store.Mode, want store.ETag) (store.ETag, error) {
	unlock, err := s.locks.lock(ctx, n)
	if err != nil {
		return "", err
	}
	defer unlock()
	switch mode {
	case store.CreateOnce:
		etag, err := s.sameBytes(ctx, n, data)
		if !isMissing(err) {
			return etag, err
		}
	case store.Create, store.Compare:
		is, err := s.head(ctx, n)
		if err != nil && !isMissing(err) {
			return "", err
		}
		if is.ETag != want { // Create wants none
			return "", store.ErrConflict
		}
	case store.Replace:
	}
	out, err := s.client.PutObject(ctx, s.input(n, data))
	if err != nil {
		return "", err
	}
	return store.ETag(aws.ToString(out.ETag)), nil
}
