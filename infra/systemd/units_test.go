package systemd_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// exposure is what systemd thinks of what a service may do, in tenths: 0 is nothing, 100
// is all. A change that opens a unit turns the test red.
var exposure = map[string]string{"longwave.service": "26", "longwave-origin.service": "16"}

// TestUnits: systemd knows every key, and the units are as closed as they were.
func TestUnits(t *testing.T) {
	for name, most := range exposure {
		file := installed(t, name)
		out, err := analyse(t, "verify", "--man=no", "--recursive-errors=no", file).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: verify: %v\n%s", name, err, out)
		}
		out, err = analyse(t, "security", "--offline=yes", "--no-pager", "--threshold="+most, file).CombinedOutput()
		if err != nil {
			t.Errorf("%s: security: %v\n%s", name, err, out)
		}
	}
}

// TestVerifySees: that the above can fail.
func TestVerifySees(t *testing.T) {
	file := installed(t, "longwave.service")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for old, wrong := range map[string]string{"NoNewPrivileges=": "NoNewPrivilege=", "RestartSec=100ms": "RestartSec=soon"} {
		changed := strings.Replace(string(text), old, wrong, 1)
		if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := analyse(t, "verify", "--man=no", "--recursive-errors=no", file).CombinedOutput()
		if err == nil && len(out) == 0 {
			t.Errorf("%s passes", wrong)
		}
	}
	open := strings.Replace(string(text), "ProtectSystem=strict", "", 1)
	if err := os.WriteFile(file, []byte(open), 0o600); err != nil {
		t.Fatal(err)
	}
	err = analyse(t, "security", "--offline=yes", "--threshold="+exposure["longwave.service"], file).Run()
	if err == nil {
		t.Error("a unit that may write everywhere passes")
	}
}

// analyse is systemd's tool of that name with these arguments.
func analyse(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), "systemd-analyze", args...) //nolint:misspell // its name
}

// installed writes a unit as it is read on a machine where the program is.
func installed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "ExecStart=/usr/local/bin/longwave ") {
		t.Errorf("%s starts something else", name)
	}
	file := filepath.Join(t.TempDir(), name)
	changed := strings.ReplaceAll(string(text), "/usr/local/bin/longwave", program)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// drain is how long a node may take to end: cmd/longwave gives itself as much.
const drain = 10 * time.Second

// TestPromises: what is said elsewhere of how a node is kept alive.
func TestPromises(t *testing.T) {
	for name := range exposure {
		unit := read(t, name)
		for key, want := range map[string]string{
			"Type": "notify", "Restart": "always", "RestartSec": "100ms", "StartLimitIntervalSec": "0", "KillMode": "mixed",
			"User": "longwave", "AmbientCapabilities": "CAP_NET_BIND_SERVICE", "CapabilityBoundingSet": "CAP_NET_BIND_SERVICE", "NoNewPrivileges": "yes",
		} {
			if got := unit[key]; got != want {
				t.Errorf("%s: %s=%s, want %s", name, key, got, want)
			}
		}
		stop, err := time.ParseDuration(unit["TimeoutStopSec"])
		if err != nil || stop <= drain {
			t.Errorf("%s: TimeoutStopSec=%s is not above the %v in which a node ends", name, unit["TimeoutStopSec"], drain)
		}
	}
	// Without these the decoders run without namespaces (ingest/decode/sandbox).
	node := read(t, "longwave.service")
	if got := strings.Fields(node["RestrictNamespaces"]); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"ipc", "mnt", "net", "pid", "user"}) {
		t.Errorf("RestrictNamespaces=%v", got)
	}
	calls := strings.Fields(node["SystemCallFilter"])
	for _, c := range []string{"@mount", "seccomp"} {
		if !slices.Contains(calls, c) {
			t.Errorf("SystemCallFilter=%v lacks %s", calls, c)
		}
	}
}

// TestSameUnits: both are kept alike; what differs is meant.
func TestSameUnits(t *testing.T) {
	node, origin := read(t, "longwave.service"), read(t, "longwave-origin.service")
	differ := map[string]bool{
		"Description": true, "ExecStart": true, "StateDirectory": true, "WorkingDirectory": true,
		"RestrictNamespaces": true, "SystemCallFilter": true,
	}
	for _, key := range slices.Sorted(maps.Keys(node)) {
		if (node[key] == origin[key]) == differ[key] {
			t.Errorf("%s: %q and %q", key, node[key], origin[key])
		}
	}
	if len(node) != len(origin) {
		t.Errorf("%d keys and %d", len(node), len(origin))
	}
}

// read returns the keys of a unit; values of one that stands twice are joined.
func read(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(line, "#") {
			keys[key] = strings.TrimSpace(keys[key] + " " + value)
		}
	}
	return keys
}
