// Command longwave broadcasts a live conversation to an audience of any size.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"longwave/ingest/decode/sandbox"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// cli is the command line: a field a subcommand.
type cli struct {
	Serve  serveCmd  `cmd:"" help:"Take speakers, make the programme and serve it: everything in one process."`
	Origin originCmd `cmd:"" help:"Serve the audience alone: what other nodes push, or what a store has."`
	Token  tokenCmd  `cmd:"" help:"Make a key for a speaker or host; it is all that is printed."`
	Listen listenCmd `cmd:"" help:"Listen strictly: report broken rules, delay, gaps and bytes; exit 1 when anything is wrong."`
}

func main() {
	sandbox.Main() // does not return in a process that is to be shut in
	os.Exit(run(os.Args[1:]))
}

// run does what the command line says and returns the exit code.
func run(args []string) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("longwave"),
		kong.Description("Broadcasts a live conversation to an audience of any size."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.UsageOnError())
	if err != nil {
		panic(err) // the struct tags are wrong
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "longwave: %v (see longwave --help)\n", err)
		return exitUsage
	}
	err = ctx.Run()
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "longwave: %v\n", err)
		return exitUsage
	case !errors.Is(err, errSaid):
		fmt.Fprintf(os.Stderr, "longwave: %v\n", err)
	}
	return exitFailed
}

// A usageError is a mistake in the command line or the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errSaid means that the command failed and has said why.
var errSaid = errors.New("said")
