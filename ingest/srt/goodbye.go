package srt

import (
	"sync"

	gosrt "github.com/datarhei/gosrt"
)

// goodbyes knows which callers have said goodbye. The library ends a connection in the
// same way when its caller does and when nothing comes from it any more, and says to its
// logger alone which it was. It is that logger.
type goodbyes struct {
	mu   sync.Mutex
	said map[uint32]bool // by socket, of those that are expected
}

func newGoodbyes() *goodbyes { return &goodbyes{said: map[uint32]bool{}} }

// topicGoodbye is what the library says with a SHUTDOWN packet (SRT section 3.2.7).
const topicGoodbye = "control:recv:shutdown:dump"

// HasTopic implements gosrt.Logger.
func (g *goodbyes) HasTopic(topic string) bool { return topic == topicGoodbye }

// Print implements gosrt.Logger.
func (g *goodbyes) Print(topic string, socket uint32, _ int, _ func() string) {
	if topic != topicGoodbye {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.said[socket]; ok {
		g.said[socket] = true
	}
}

// Listen implements gosrt.Logger: nobody does.
func (g *goodbyes) Listen() <-chan gosrt.Log { return nil }

// Close implements gosrt.Logger.
func (g *goodbyes) Close() {}

// expect notes that a connection is there.
func (g *goodbyes) expect(socket uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.said[socket] = false
}

// forget says whether its caller has said goodbye, when it is gone.
func (g *goodbyes) forget(socket uint32) (said bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	said = g.said[socket]
	delete(g.said, socket)
	return said
}
