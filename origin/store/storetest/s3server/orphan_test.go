package s3server_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"longwave/origin/store/storetest/s3server"
)

const parentVar = "LONGWAVE_S3SERVER_TEST_PARENT"

// TestParent is the process that TestOrphan kills. In a usual run it does nothing.
func TestParent(t *testing.T) {
	if os.Getenv(parentVar) == "" {
		return
	}
	fmt.Println("endpoint", s3server.Start(t).Endpoint)
	select {}
}

// TestOrphan: a test that is killed takes its server with it.
func TestOrphan(t *testing.T) {
	if _, err := s3server.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	parent := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestParent$")
	parent.Env = append(os.Environ(), parentVar+"=1", "TMPDIR="+t.TempDir()) // cleaned up by us
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var endpoint string
	for lines := bufio.NewScanner(out); endpoint == "" && lines.Scan(); {
		endpoint, _ = strings.CutPrefix(lines.Text(), "endpoint ")
		if !strings.HasPrefix(endpoint, "http") {
			endpoint = ""
		}
	}
	if endpoint == "" {
		t.Fatal("the parent started no server")
	}
	if status := get(t, endpoint+"/healthz"); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed
	for start := time.Now(); ; {
		resp, err := http.Get(endpoint + "/healthz")
		if err != nil {
			break
		}
		resp.Body.Close()
		if time.Since(start) > 10*time.Second {
			t.Fatal("the server outlives the test that started it")
		}
	}
}
