package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"longwave/origin/store"
)

// Get implements [store.Getter].
func (s *Store) Get(ctx context.Context, n store.Name) (store.Object, error) {
	if err := n.Check(); err != nil {
		return store.Object{}, fmt.Errorf("get %q: %w", n, err)
	}
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	o, err := s.get(ctx, n)
	if err != nil {
		return store.Object{}, fmt.Errorf("get %q: %w", n, s.explain(ctx, err))
	}
	return o, nil
}

func (s *Store) get(ctx context.Context, n store.Name) (store.Object, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.opts.Bucket, Key: s.key(n)})
	if err != nil {
		return store.Object{}, err
	}
	defer out.Body.Close()
	size := aws.ToInt64(out.ContentLength)
	if size > store.MaxBytes {
		return store.Object{}, fmt.Errorf("%d bytes are more than the %d that an object may have", size, store.MaxBytes)
	}
	var data bytes.Buffer
	data.Grow(int(size) + bytes.MinRead)
	if _, err := io.Copy(&data, io.LimitReader(out.Body, store.MaxBytes)); err != nil {
		return store.Object{}, fmt.Errorf("read body: %w", err)
	}
	if out.ContentLength != nil && int64(data.Len()) != size {
		return store.Object{}, fmt.Errorf("read body: %d bytes of %d: %w", data.Len(), size, io.ErrUnexpectedEOF)
	}
	return store.Object{
		Info: store.Info{
			Name:     n,
			Size:     int64(data.Len()),
			ETag:     store.ETag(aws.ToString(out.ETag)),
			Modified: aws.ToTime(out.LastModified),
		},
		Data: data.Bytes(),
	}, nil
}

// Head implements [store.Getter].
func (s *Store) Head(ctx context.Context, n store.Name) (store.Info, error) {
	if err := n.Check(); err != nil {
		return store.Info{}, fmt.Errorf("head %q: %w", n, err)
	}
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	info, err := s.head(ctx, n)
	if err != nil {
		return store.Info{}, fmt.Errorf("head %q: %w", n, s.explain(ctx, err))
	}
	return info, nil
}

func (s *Store) head(ctx context.Context, n store.Name) (store.Info, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.opts.Bucket, Key: s.key(n)})
	if err != nil {
		return store.Info{}, err
	}
	return store.Info{
		Name:     n,
		Size:     aws.ToInt64(out.ContentLength),
		ETag:     store.ETag(aws.ToString(out.ETag)),
		Modified: aws.ToTime(out.LastModified),
	}, nil
}

// errLeft says that the reader of a list has left it.
var errLeft = errors.New("left")

// List implements [store.Sweeper]. A page of 1,000 names costs one request.
func (s *Store) List(ctx context.Context, prefix string, after store.Name) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if !listable(prefix) {
			return
		}
		in := &s3.ListObjectsV2Input{Bucket: &s.opts.Bucket, Prefix: aws.String(s.opts.Prefix + prefix)}
		if after != "" {
			in.StartAfter = s.key(after)
		}
		pages := s3.NewListObjectsV2Paginator(s.client, in)
		for pages.HasMorePages() {
			err := s.page(ctx, pages, yield)
			if errors.Is(err, errLeft) {
				return
			}
			if err != nil {
				yield(store.Info{}, fmt.Errorf("list %q: %w", prefix, err))
				return
			}
		}
	}
}

// listable reports whether a server can be asked for names with this prefix:
// control characters do not come through XML, and no name of ours has one.
func listable(prefix string) bool {
	return !strings.ContainsFunc(prefix, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError })
}

// page yields one page of a list. The deadline is for each page's request.
func (s *Store) page(ctx context.Context, pages *s3.ListObjectsV2Paginator, yield func(store.Info, error) bool) error {
	page, err := func() (*s3.ListObjectsV2Output, error) {
		ctx, cancel := s.deadline(ctx)
		defer cancel()
		page, err := pages.NextPage(ctx)
		return page, s.explain(ctx, err)
	}()
	if err != nil {
		return err
	}
	for _, o := range page.Contents {
		n := store.Name(strings.TrimPrefix(aws.ToString(o.Key), s.opts.Prefix))
		if n == "" || strings.HasSuffix(string(n), "/") { // what consoles make to show a folder
			continue
		}
		info := store.Info{
			Name:     n,
			Size:     aws.ToInt64(o.Size),
			ETag:     store.ETag(aws.ToString(o.ETag)),
			Modified: aws.ToTime(o.LastModified),
		}
		if !yield(info, nil) {
			return errLeft
		}
	}
	return nil
}

// Delete implements [store.Sweeper].
func (s *Store) Delete(ctx context.Context, n store.Name) error {
	if err := n.Check(); err != nil {
		return fmt.Errorf("delete %q: %w", n, err)
	}
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	if err := s.delete(ctx, n); err != nil {
		return fmt.Errorf("delete %q: %w", n, s.explain(ctx, err))
	}
	return nil
}

func (s *Store) delete(ctx context.Context, n store.Name) error {
	if s.opts.SingleWriter {
		unlock, err := s.locks.lock(ctx, n)
		if err != nil {
			return err
		}
		defer unlock()
	}
	s.versions.forget(n)
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.opts.Bucket, Key: s.key(n)})
	if err != nil && !isMissing(err) {
		return err
	}
	return nil
}
