package listen

import (
	"crypto/sha256"
	"slices"
	"sync"
)

// A keepsake is a file that was got, to be asked for again when the playlist names
// it no longer.
type keepsake struct {
	file
	msn int64
	sum [sha256.Size]byte
}

// keepsakes are files of one rendition, oldest first. Several goroutines use them.
type keepsakes struct {
	mu  sync.Mutex
	all []keepsake
}

// maxKept bounds them; longer playlists are not followed to their end.
const maxKept = 512

func (k *keepsakes) add(msn int64, f file, data []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all = append(k.all, keepsake{file: f, msn: msn, sum: sha256.Sum256(data)}); len(k.all) > maxKept {
		k.all = append(k.all[:0], k.all[1:]...)
	}
}

// before takes out the newest one of a segment before msn, and all older ones.
func (k *keepsakes) before(msn int64) (keepsake, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, found := range slices.Backward(k.all) {
		if found.msn < msn {
			k.all = append(k.all[:0], k.all[i+1:]...)
			return found, true
		}
	}
	return keepsake{}, false
}
