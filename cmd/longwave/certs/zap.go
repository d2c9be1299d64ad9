package certs

import (
	"context"
	"log/slog"

	"go.uber.org/zap/zapcore"
)

// zapToSlog is a zapcore.Core that writes to our log. Whatever certmagic tells is lower
// with us: what matters of it we say ourselves, in our words, and an error of its is one
// try of many.
type zapToSlog struct {
	log *slog.Logger
}

var _ zapcore.Core = zapToSlog{}

// level returns ours; ok is false for what is left out.
func (zapToSlog) level(l zapcore.Level) (level slog.Level, ok bool) {
	switch {
	case l >= zapcore.ErrorLevel:
		return slog.LevelInfo, true
	case l == zapcore.DebugLevel:
		return slog.LevelDebug, false
	}
	return slog.LevelDebug, true
}

// Enabled implements zapcore.LevelEnabler.
func (z zapToSlog) Enabled(l zapcore.Level) bool {
	level, ok := z.level(l)
	return ok && z.log.Enabled(context.Background(), level)
}

// With implements zapcore.Core.
func (z zapToSlog) With(fields []zapcore.Field) zapcore.Core {
	return zapToSlog{z.log.With(attrs(fields)...)}
}

// Check implements zapcore.Core.
func (z zapToSlog) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if z.Enabled(e.Level) {
		return c.AddCore(e, z)
	}
	return c
}

// Write implements zapcore.Core.
func (z zapToSlog) Write(e zapcore.Entry, fields []zapcore.Field) error {
	level, _ := z.level(e.Level)
	z.log.Log(context.Background(), level, e.Message, attrs(fields)...) //nolint:sloglint // certmagic's messages are constant, but not here
	return nil
}

// Sync implements zapcore.Core.
func (zapToSlog) Sync() error { return nil }

// attrs returns fields as slog takes them.
func attrs(fields []zapcore.Field) []any {
	enc := zapcore.NewMapObjectEncoder()
	var out []any
	for _, f := range fields {
		f.AddTo(enc)
		if v, ok := enc.Fields[f.Key]; ok {
			out = append(out, slog.Any(f.Key, v))
		}
	}
	return out
}
