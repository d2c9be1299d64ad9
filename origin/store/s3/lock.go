package s3

import (
	"context"
	"sync"

	"longwave/origin/store"
)

// keyLocks is a lock for each name. The zero value is ready.
type keyLocks struct {
	mu   sync.Mutex
	held map[store.Name]*keyLock
}

type keyLock struct {
	free  chan struct{} // holds a value while nobody has the lock
	users int           // who have it or wait; guarded by keyLocks.mu
}

// lock waits until n is the caller's or ctx ends.
func (l *keyLocks) lock(ctx context.Context, n store.Name) (unlock func(), err error) {
	l.mu.Lock()
	k := l.held[n]
	if k == nil {
		k = &keyLock{free: make(chan struct{}, 1)}
		k.free <- struct{}{}
		if l.held == nil {
			l.held = make(map[store.Name]*keyLock)
		}
		l.held[n] = k
	}
	k.users++
	l.mu.Unlock()
	select {
	case <-k.free:
		return func() {
			k.free <- struct{}{}
			l.leave(n, k)
		}, nil
	case <-ctx.Done():
		l.leave(n, k)
		return nil, context.Cause(ctx)
	}
}

func (l *keyLocks) leave(n store.Name, k *keyLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(l.held, n)
	}
}
