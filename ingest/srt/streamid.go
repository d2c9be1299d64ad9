package srt

import (
	"errors"
	"strings"
)

// Why a stream ID opens nothing.
var (
	errNoToken = errors.New("the stream ID is the token")
	errMode    = errors.New("there is nothing to play here: the mode is publish")
	errForm    = errors.New("the stream ID is the token, publish:token or #!::r=station,m=publish,u=token")
)

// parseStreamID finds the token in a stream ID, and the station where it is named:
//
//	token
//	publish:token
//	#!::r=station,m=publish,u=token
//	#!::m=publish,r=token
//
// The last two are the form of the SRT Access Control guidelines; other keys are
// ignored.
func parseStreamID(id string) (station, token string, err error) {
	id = strings.TrimSpace(id)
	if list, ok := strings.CutPrefix(id, "#!::"); ok {
		return parseAccess(list)
	}
	if strings.HasPrefix(id, "#!") {
		return "", "", errForm
	}
	if mode, rest, ok := strings.Cut(id, ":"); ok {
		if !strings.EqualFold(mode, "publish") {
			return "", "", errMode
		}
		id = rest
	}
	if id == "" {
		return "", "", errNoToken
	}
	return "", id, nil
}

func parseAccess(list string) (station, token string, err error) {
	var resource, user string
	for pair := range strings.SplitSeq(list, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return "", "", errForm
		}
		switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
		case "r":
			resource = strings.Trim(value, "/")
		case "u":
			user = value
		case "m":
			if value != "publish" {
				return "", "", errMode
			}
		}
	}
	switch {
	case user != "":
		return resource, user, nil
	case resource != "":
		return "", resource, nil
	}
	return "", "", errNoToken
}
