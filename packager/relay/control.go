package relay

import (
	"context"
)

// control decides who yields and who is shed.
func (r *Relay) control(ctx context.Context) {
	<-ctx.Done()
}
