package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"longwave/cmd/longwave/systemtest"
	"longwave/origin/store/storetest/s3server"
)

// TestScripts runs testdata/script: what the program says at the command line. The
// commands besides testscript's own:
//
//	refused CODE ARG...   runs longwave ARG..., which must end with that exit code and
//	                      say why on one line of standard error
//	address VAR           sets VAR to a free address
//	taken VAR             sets VAR to an address on which somebody listens
//	expand FILE           replaces $VAR in a file
//	await URL             waits until URL answers 200
//	expired VAR           sets VAR to the URL of an S3 server that says that the
//	                      credentials have expired
//
// A real S3 server with an empty bucket is at $S3_ENDPOINT and $S3_BUCKET; its keys
// are in the environment.
func TestScripts(t *testing.T) {
	t.Parallel()
	program := systemtest.Program(t, systemtest.Racing)
	root := t.TempDir()
	for _, dir := range []string{root, filepath.Dir(root), filepath.Dir(program), filepath.Dir(filepath.Dir(program))} {
		if err := os.Chmod(dir, 0o755); err != nil { // for the user nobody
			t.Fatal(err)
		}
	}
	srv := s3server.Start(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		WorkdirRoot:         root,
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"refused": refused, "address": address, "taken": taken, "expand": expand, "await": await, "expired": expired,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("LONGWAVE", program)
			e.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+os.Getenv("PATH"))
			e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			e.Setenv("S3_ENDPOINT", srv.Endpoint)
			e.Setenv("S3_BUCKET", srv.Bucket)
			e.Setenv("AWS_ACCESS_KEY_ID", srv.AccessKey)
			e.Setenv("AWS_SECRET_ACCESS_KEY", srv.SecretKey)
			e.Setenv("AWS_REGION", s3server.Region)
			return os.Chmod(e.WorkDir, 0o755)
		},
	})
}

// refused runs the program. With AS_NOBODY set it does so without the rights of
// root, for whom no folder is unwritable.
func refused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: refused code [arg...]")
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, ts.Getenv("LONGWAVE"), args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Stdout, cmd.Stderr = ts.Stdout(), &stderr
	for _, name := range []string{"PATH", "HOME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_EC2_METADATA_DISABLED"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	if ts.Getenv("AS_NOBODY") != "" && os.Geteuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	err = cmd.Run()
	_, werr := ts.Stderr().Write(stderr.Bytes())
	ts.Check(werr)
	if _, isExit := errors.AsType[*exec.ExitError](err); err != nil && !isExit {
		ts.Fatalf("%v", err)
	}
	said := stderr.String()
	if got := cmd.ProcessState.ExitCode(); got != code {
		ts.Fatalf("exit code %d, want %d; standard error:\n%s", got, code, said)
	}
	if words := withoutLog(said); !strings.HasPrefix(words, "longwave: ") || strings.Count(words, "\n") != 1 {
		ts.Fatalf("standard error, but for the log, is not one line that begins with longwave:\n%s", said)
	}
	if secret := ts.Getenv("AWS_SECRET_ACCESS_KEY"); secret != "" && strings.Contains(said, secret) {
		ts.Fatalf("standard error shows the secret key")
	}
}

// withoutLog leaves the lines of the log out, but for its errors.
func withoutLog(said string) string {
	var rest strings.Builder
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "time=") || strings.Contains(line, "level=ERROR") {
			rest.WriteString(line)
		}
	}
	return rest.String()
}

func address(ts *testscript.TestScript, _ bool, args []string) {
	addr, err := systemtest.FreeAddr()
	ts.Check(err)
	ts.Setenv(args[0], addr)
}

func taken(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Defer(func() { l.Close() })
}

func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	for range 2000 {
		r, err := systemtest.Fetch(context.Background(), args[0])
		if err == nil && r.Status == http.StatusOK {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("%s does not answer 200", args[0])
}

// expired is an S3 server to whom every credential has expired.
func expired(ts *testscript.TestScript, _ bool, args []string) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusBadRequest) // as AWS does
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>`)
	}))
	ts.Defer(srv.Close)
	ts.Setenv(args[0], srv.URL)
}
