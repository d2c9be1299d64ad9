package config

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"longwave/packager"
)

// nodePlace stands for the name of the node in every text of the configuration, so that
// twins share one file.
const nodePlace = "{node}"

// placeNode puts the name of the node where it belongs.
func (c *Config) placeNode() error {
	if c.Node != "" && !packager.ValidName(c.Node) {
		return fmt.Errorf("node %q: use a-z, 0-9, - and _", c.Node)
	}
	if n := replaceText(reflect.ValueOf(c).Elem(), nodePlace, cmp.Or(c.Node, nodePlace)); n > 0 && c.Node == "" {
		return fmt.Errorf("%s stands in the configuration: say with --node or LONGWAVE_NODE which one this is", nodePlace)
	}
	return nil
}

// replaceText replaces old in every text below v and returns how many had it.
func replaceText(v reflect.Value, old, by string) int {
	n := 0
	switch v.Kind() {
	case reflect.String:
		if strings.Contains(v.String(), old) {
			v.SetString(strings.ReplaceAll(v.String(), old, by))
			n++
		}
	case reflect.Pointer:
		if !v.IsNil() {
			n += replaceText(v.Elem(), old, by)
		}
	case reflect.Slice:
		for i := range v.Len() {
			n += replaceText(v.Index(i), old, by)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			n += replaceText(field, old, by)
		}
	default:
	}
	return n
}
