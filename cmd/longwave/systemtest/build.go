package systemtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// A Build is one way to build the program.
type Build uint8

// The builds.
const (
	Plain  Build = iota // as it is released
	Racing              // with the race detector, when the tests have it
)

var folder = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "longwave-system-") })

var built = [...]func() (string, error){
	Plain:  sync.OnceValues(func() (string, error) { return build(false) }),
	Racing: sync.OnceValues(func() (string, error) { return build(true) }),
}

// Program returns the path of the program, which is built at the first call.
func Program(t testing.TB, b Build) string {
	t.Helper()
	if !withRace {
		b = Plain
	}
	path, err := built[b]()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func build(race bool) (string, error) {
	dir, err := folder()
	if err != nil {
		return "", err
	}
	// Always called longwave, since it names itself in what it says.
	path := filepath.Join(dir, map[bool]string{false: "plain", true: "race"}[race], "longwave")
	args := []string{"build", "-o", path}
	if race {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "longwave/cmd/longwave")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
}

// Clean removes what was built; TestMain calls it when the tests are over.
func Clean() {
	if dir, err := folder(); err == nil {
		_ = os.RemoveAll(dir)
	}
}
