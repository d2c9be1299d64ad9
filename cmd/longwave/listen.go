package main

import "errors"

// listenCmd is a strict listener.
type listenCmd struct{}

// Run implements the command.
func (c *listenCmd) Run() error { return errors.New("not yet") }
