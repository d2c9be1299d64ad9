package pull

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"longwave/ingest/titles"
)

// mostBetween bounds the bytes of sound between two blocks of metadata.
const mostBetween = 1 << 20

// icyHeader asks for titles between the sound. Liquidsoap knows it in this spelling
// alone, which is not the one that net/http gives to headers.
var icyHeader = http.Header{"Icy-MetaData": {"1"}}

// An icyReader takes the titles out of a stream as SHOUTcast and Icecast send it: every
// so many bytes of sound a byte that says how many times 16 bytes of metadata follow.
type icyReader struct {
	r     io.Reader
	every int // bytes of sound between blocks
	left  int // until the next
	title func(string)
	block [255 * 16]byte
}

// newICY returns r's sound. Titles go to title from Read, when all sound before them was
// read.
func newICY(r io.Reader, h http.Header, title func(string)) (io.Reader, error) {
	s := h.Get("Icy-Metaint")
	if s == "" || s == "0" {
		return r, nil
	}
	every, err := strconv.Atoi(s)
	if err != nil || every < 0 || every > mostBetween {
		return nil, fmt.Errorf("read titles: every %.20q bytes is no distance", s)
	}
	return &icyReader{r: r, every: every, left: every, title: title}, nil
}

func (i *icyReader) Read(b []byte) (int, error) {
	if i.left == 0 {
		if err := i.metadata(); err != nil {
			return 0, err
		}
		i.left = i.every
	}
	n, err := i.r.Read(b[:min(len(b), i.left)])
	i.left -= n
	return n, err
}

func (i *icyReader) metadata() error {
	if _, err := io.ReadFull(i.r, i.block[:1]); err != nil {
		return err // the end comes here in most streams that end well
	}
	block := i.block[:int(i.block[0])*16]
	if _, err := io.ReadFull(i.r, block); err != nil {
		return err
	}
	if s, ok := streamTitle(block); ok {
		i.title(s)
	}
	return nil
}

// streamTitle returns the title in a block of metadata: StreamTitle='…';StreamUrl='…';
// filled up with zeros. What is inside is not escaped, so a title ends where its quote is
// followed by a semicolon.
func streamTitle(block []byte) (string, bool) {
	block = bytes.TrimRight(block, "\x00")
	_, rest, ok := bytes.Cut(block, []byte("StreamTitle='"))
	if !ok {
		return "", false
	}
	if s, _, ok := bytes.Cut(rest, []byte("';")); ok {
		return titles.Clean(string(s)), true
	}
	s, ok := bytes.CutSuffix(rest, []byte("'"))
	return titles.Clean(string(s)), ok
}
