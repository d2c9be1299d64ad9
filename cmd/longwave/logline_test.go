package main

import (
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
)

// TestLogNobodyReads: a log that nobody reads holds up nobody, and who reads it later is
// told what is missing.
func TestLogNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		l := openLogLine(write)
		log := slog.New(slog.NewTextHandler(l, nil))
		for range logLines + 100 {
			log.Info("said")
		}
		synctest.Wait()
		var text strings.Builder
		go func() { _, _ = io.Copy(&text, read) }()
		synctest.Wait()
		log.Info("again")
		l.close()
		_ = write.Close()
		synctest.Wait()
		if n := strings.Count(text.String(), "msg=said"); n < logLines || n > logLines+1 {
			t.Errorf("%d lines were kept, want %d", n, logLines)
		}
		if !strings.Contains(text.String(), "lines of the log are missing here") || !strings.HasSuffix(text.String(), "msg=again\n") {
			t.Errorf("it ends with %q", text.String()[max(0, text.Len()-200):])
		}
	})
}

// TestLogClose: closing does not wait for ever.
func TestLogClose(t *testing.T) {
	synctest.Test(t, func(_ *testing.T) {
		read, write := io.Pipe()
		l := openLogLine(write)
		log := slog.New(slog.NewTextHandler(l, nil))
		log.Info("said")
		l.close()
		log.Info("too late") // and nobody minds
		_ = read.Close()
		synctest.Wait()
	})
}
