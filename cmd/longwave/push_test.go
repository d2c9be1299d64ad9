package main

import (
	"log/slog"
	"testing"

	"longwave/cmd/longwave/config"
)

// TestPushNames: two origins on one host are told apart, in figures too.
func TestPushNames(t *testing.T) {
	yes, no := true, false
	n := &node{face: newFace(config.Config{Push: []config.Push{
		{URL: "https://a.example/one", Join: &no, Parts: &yes},
		{URL: "https://a.example/two", Join: &no, Parts: &yes},
		{URL: "http://a.example/two", Join: &no, Parts: &yes},
		{URL: "https://b.example", Join: &no, Parts: &yes},
	}}, slog.New(slog.DiscardHandler))}
	if err := n.openRelays(); err != nil {
		t.Fatal(err)
	}
	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "longwave_relay_failing" && l.GetName() == "remote" {
					names[l.GetValue()] = true
				}
			}
		}
	}
	if len(names) != 4 || !names["b.example"] {
		t.Errorf("names %v", names)
	}
}
