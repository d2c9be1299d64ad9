package main_test

import (
	"os"
	"testing"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/decode/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main() // for tests that decode in this process
	code := m.Run()
	systemtest.Clean()
	os.Exit(code)
}
