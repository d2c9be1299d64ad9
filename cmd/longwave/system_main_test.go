package main_test

import (
	"fmt"
	"os"
	"testing"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/decode/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main() // for tests that decode in this process
	if text := os.Getenv(encodeVar); text != "" {
		if err := encode(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if text := os.Getenv(visitVar); text != "" {
		if err := visit(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	systemtest.Clean()
	os.Exit(code)
}
