package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"os"

	"longwave/cmd/longwave/config"
)

// common are the flags of commands that read the configuration.
type common struct {
	Config string `short:"c" type:"path" placeholder:"FILE" help:"Configuration file (YAML); without one everything has a default."`
	Node   string `placeholder:"NAME" env:"LONGWAVE_NODE" help:"Name of this node, where twins share a configuration (or $LONGWAVE_NODE)."`
	Data   string `placeholder:"DIR" help:"Folder of everything that is kept (default ./data)."`
}

// load reads the configuration; flags go before the file.
func (c common) load() (config.Config, error) {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return cfg, usageError{err}
	}
	cfg.Data, cfg.Node = cmp.Or(c.Data, cfg.Data), cmp.Or(c.Node, cfg.Node)
	return cfg, c.checked(&cfg)
}

// checked completes cfg and names the file that a mistake is in.
func (c common) checked(cfg *config.Config) error {
	err := cfg.Check()
	switch {
	case err == nil:
		return nil
	case c.Config != "":
		return usageError{fmt.Errorf("%s: %w", c.Config, err)}
	}
	return usageError{err}
}

// newLog returns the log that c asks for, to w.
func newLog(c config.Log, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, usageError{fmt.Errorf("log.level %q: use debug, info, warn or error", c.Level)}
	}
	opt := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opt)), nil
	}
	return slog.New(slog.NewTextHandler(w, opt)), nil
}

var stderr io.Writer = os.Stderr
