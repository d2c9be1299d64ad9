package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// An event is one line of go test -json (see go doc test2json).
type event struct {
	Action, Package, Test, Output string
}

// readTests copies the outputs of packages and of failed tests from a
// go test -json to w, and counts: a test or subtest each one, and a package
// that failed without a failed test (it did not compile, it panicked) one.
func readTests(r io.Reader, w io.Writer) (tally, error) {
	var t tally
	output := map[string][]string{} // by package and test, until it has ended
	failures := map[string]int{}    // by package
	seeds := map[string]string{}    // of the order of its tests, by package
	var why strings.Builder         // of the failed ones, told again at the end
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintf(w, "%s\n", lines.Bytes())
			continue
		}
		id := e.Package + " " + e.Test
		switch {
		case e.Action == "output" && e.Test != "":
			output[id] = append(output[id], e.Output)
		case e.Action == "output" && strings.HasPrefix(e.Output, "-test.shuffle "):
			seeds[e.Package] = e.Output
		case e.Action == "output" && dull(e.Output):
		case e.Action == "output" || e.Action == "build-output":
			fmt.Fprint(w, e.Output)
		case e.Action == "pass" && e.Test != "":
			t.passed++
			delete(output, id)
		case e.Action == "skip" && e.Test != "":
			t.skipped++
			fmt.Fprint(w, strings.Join(output[id], ""))
			delete(output, id)
		case e.Action == "fail" && e.Test != "":
			t.failed++
			failures[e.Package]++
			fmt.Fprint(w, strings.Join(output[id], ""))
			writeWhy(&why, e, output[id])
			delete(output, id)
		case e.Action == "fail":
			fmt.Fprint(w, seeds[e.Package])
			if failures[e.Package] == 0 {
				t.failed++
				writeOpen(w, e.Package, output)
			}
		}
	}
	fmt.Fprint(w, &why)
	return t, lines.Err()
}

// complaint is what t.Error and its kin print: the file and line of the test.
var complaint = regexp.MustCompile(`^\s+\w+\.go:\d+: `)

// writeWhy writes what a failed test complained of, without all else that was
// logged: a reader of CI's last lines finds it there.
func writeWhy(w io.Writer, e event, output []string) {
	fmt.Fprintf(w, "failed: %s %s\n", e.Package, e.Test)
	for _, line := range output {
		if complaint.MatchString(line) {
			fmt.Fprint(w, line)
		}
	}
}

// writeOpen writes what the tests of a package had said that never ended: where
// it panicked or ran out of time.
func writeOpen(w io.Writer, pkg string, output map[string][]string) {
	for id, said := range output {
		if strings.HasPrefix(id, pkg+" ") {
			fmt.Fprint(w, strings.Join(said, ""))
		}
	}
}

// dull lines are not worth a reader's time: packages without tests, and the
// word that the package's own line repeats.
func dull(line string) bool {
	return line == "PASS\n" || strings.Contains(line, "[no test files]")
}
