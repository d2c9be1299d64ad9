package origin

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"sync"

	"longwave/packager"
)

// A file is an object as it is served: its bytes and headers, made once. The
// headers are slices so that a request puts them into its header map as they are.
type file struct {
	data, gz      []byte // gz is nil where compressing does not pay
	contentType   []string
	cacheControl  []string
	length, gzLen []string
}

// fileCost is about what a file takes in memory besides its bytes.
const fileCost = 512

// size is how many bytes f takes in memory.
func (f *file) size() int64 { return int64(len(f.data)+len(f.gz)) + fileCost }

// newFile describes an object. Text is compressed; sound is compressed already.
func newFile(o packager.Object) *file {
	f := &file{
		data:         o.Data,
		contentType:  []string{o.Key.ContentType()},
		cacheControl: []string{o.Key.CacheControl()},
		length:       []string{strconv.Itoa(len(o.Data))},
	}
	if !o.Key.Immutable() {
		f.gz = compress(o.Data)
		f.gzLen = []string{strconv.Itoa(len(f.gz))}
	}
	return f
}

// blocking returns f as the answer to a request with delivery directives: a cache
// may keep it for six target durations (rfc8216bis appendix B.1), since it names
// the state that was asked for.
func (f *file) blocking() *file {
	b := *f
	b.cacheControl = blockingCache
	return &b
}

var blockingCache = []string{packager.CacheBlocking}

var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, 6)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

func compress(data []byte) []byte {
	var b bytes.Buffer
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	w.Reset(&b)
	if _, err := w.Write(data); err != nil || w.Close() != nil {
		return nil // a bytes.Buffer does not fail
	}
	return b.Bytes()
}
