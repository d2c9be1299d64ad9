package origin

import (
	"maps"
	"strconv"
	"strings"
	"sync/atomic"

	"longwave/packager"
)

// CacheForeign is the Cache-Control of the media of foreign encoders: they begin with
// the same names again when they are started again.
const CacheForeign = "public, max-age=4"

// A Foreign is a file of an encoder that is not ours: its name is not a [packager.Key],
// and may come again with other bytes.
type Foreign struct {
	Path        string // below the origin's root, with the station: "talk/live0.ts"
	Data        []byte // never changed once the file was handed on
	ContentType string
	Playlist    bool // it is a live media playlist, which is text and not kept long
}

// A shelf is the foreign files of all stations by path. It is replaced whole.
type shelf struct {
	files atomic.Pointer[map[string]*foreignFile]
}

type foreignFile struct {
	*file
	playlist bool
}

// PutForeign makes a file visible, in the place of one with the same path.
func (l *Live) PutForeign(f Foreign) {
	made := &foreignFile{
		file: &file{
			data: f.Data, contentType: []string{f.ContentType}, cacheControl: []string{CacheForeign},
			length: []string{strconv.Itoa(len(f.Data))},
		},
		playlist: f.Playlist,
	}
	if f.Playlist {
		made.cacheControl = []string{packager.CacheMedia}
		made.gz = compress(f.Data)
		made.gzLen = []string{strconv.Itoa(len(made.gz))}
	}
	l.changeForeign(func(files map[string]*foreignFile) { files[f.Path] = made })
}

// RemoveForeign takes files away.
func (l *Live) RemoveForeign(paths ...string) {
	l.changeForeign(func(files map[string]*foreignFile) {
		for _, p := range paths {
			delete(files, p)
		}
	})
}

func (l *Live) changeForeign(change func(map[string]*foreignFile)) {
	l.putMu.Lock()
	defer l.putMu.Unlock()
	files := maps.Clone(*l.foreign.files.Load())
	change(files)
	l.foreign.files.Store(&files)
}

// Foreign returns the bytes of a foreign file.
func (l *Live) Foreign(path string) ([]byte, bool) {
	f := l.foreignFile(path)
	if f == nil {
		return nil, false
	}
	return f.data, true
}

func (l *Live) foreignFile(path string) *foreignFile { return (*l.foreign.files.Load())[path] }

// foreignPlaylists reports whether a station has playlists of a foreign encoder.
func (l *Live) foreignPlaylists(station string) bool {
	for path, f := range *l.foreign.files.Load() {
		if f.playlist && strings.HasPrefix(path, station+"/") {
			return true
		}
	}
	return false
}

// foreignSize is how many bytes the foreign files of a station have.
func (l *Live) foreignSize(station string) int64 {
	n := int64(0)
	for path, f := range *l.foreign.files.Load() {
		if strings.HasPrefix(path, station+"/") {
			n += f.size()
		}
	}
	return n
}
