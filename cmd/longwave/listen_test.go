package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"longwave/cmd/longwave/systemtest"
)

// listening runs longwave listen and returns its exit code and what it printed.
func listening(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), systemtest.Program(t, systemtest.Racing), append([]string{"listen"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if _, isExit := errors.AsType[*exec.ExitError](err); !isExit {
			t.Fatal(err)
		}
	}
	return cmd.ProcessState.ExitCode(), out.String(), said.String()
}

// A heard is what a script reads of a report.
type heard struct {
	Passed     bool
	Kind       string
	Reason     string
	Renditions []struct {
		Name, Mode      string
		Segments, Parts int
		Sound           *struct {
			Silence float64 `json:"silence_ms"`
		}
	}
	Must, Should []struct{ Rule, Rendition, Found string }
}

// A strict listener finds nothing wrong with the program. How late things are is not
// asked here: that is a matter of the machine.
func TestListen(t *testing.T) {
	t.Parallel()
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: small})
	awaitReady(n)
	code, out, progress := listening(t, n.URL+"/talk/", "--for", "6s", "--json", "--decode", "--slack", "10s")
	var h heard
	if err := json.Unmarshal([]byte(out), &h); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if h.Passed != (code == 0) || h.Kind != "page" || len(h.Renditions) != 2 || len(h.Must)+len(h.Should) > 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	for _, r := range h.Renditions {
		if r.Mode != "blocking" || r.Segments == 0 || r.Parts == 0 || r.Sound == nil {
			t.Errorf("%+v", r)
		}
	}
	if !strings.Contains(progress, "2 renditions, ") {
		t.Errorf("no progress: %q", progress)
	}
	interrupted(t, n)
}

// interrupted shows that Ctrl-C prints what there is, as text.
func interrupted(t *testing.T, n *systemtest.Node) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), systemtest.Program(t, systemtest.Racing), "listen", n.URL+"/talk/index.m3u8", "--for", "0")
	cmd.Stdout, cmd.Stderr = &out, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	if _, err := read.Read(make([]byte, 100)); err != nil { // it listens
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Error(err)
	}
	if text := out.String(); !strings.Contains(text, "a multivariant playlist, heard for ") || !strings.Contains(text, "aac-48 ") {
		t.Errorf("it printed:\n%s", text)
	}
}

// What is no use is said in one line, with the exit code for it.
func TestListenRefuses(t *testing.T) {
	t.Parallel()
	addr, err := systemtest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "<url>"},
		{[]string{"talk"}, 2, `"talk" is no address: use one like http://localhost:8080/talk/`},
		{[]string{"http://" + addr + "/", "--for", "soon"}, 2, "soon"},
		{[]string{"http://" + addr + "/", "--for=-1s"}, 2, "not negative"},
		{[]string{"http://" + addr + "/"}, 1, "nothing answers at " + addr + ": is it running?"},
	} {
		code, out, said := listening(t, c.args...)
		if code != c.code || !strings.Contains(said, c.want) || strings.Count(said, "\n") != 1 || out != "" {
			t.Errorf("%q: exit code %d, %q, %q", c.args, code, out, said)
		}
	}
	code, out, _ := listening(t, "http://"+addr+"/", "--json")
	var h heard
	if err := json.Unmarshal([]byte(out), &h); err != nil || code != 1 || h.Passed || h.Reason == "" {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}
