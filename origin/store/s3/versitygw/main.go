// Command versitygw is a real S3 server for the tests of the project: the
// versitygw gateway on a folder. It stands in a module of its own because it
// needs a hundred modules that the product does not. Package
// origin/store/storetest/s3server builds, starts and ends it.
//
//	LONGWAVE_S3_ACCESS_KEY=… LONGWAVE_S3_SECRET_KEY=… versitygw 127.0.0.1:PORT DIR REGION
//
// It ends when its standard input does, so it never outlives who started it. It
// does not flush to the medium: a power cut is not what it is for.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "versitygw:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: versitygw HOST:PORT DIR REGION")
	}
	be, err := posix.New(args[1], meta.XattrMeta{}, posix.PosixOpts{})
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
		os.Exit(0) // a request that hangs must not keep us
	}()
	return embedgw.RunVersityGW(ctx, be, &embedgw.Config{
		RootUserAccess:    os.Getenv("LONGWAVE_S3_ACCESS_KEY"),
		RootUserSecret:    os.Getenv("LONGWAVE_S3_SECRET_KEY"),
		Region:            args[2],
		Ports:             []string{args[0]},
		MaxConnections:    4096,
		MaxRequests:       2048,
		MultipartMaxParts: 10_000,
		HealthPath:        "/healthz",
		KeepAlive:         true,
		Quiet:             true,
	})
}
