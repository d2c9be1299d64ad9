package steer

import (
	"encoding/json"
	"time"

	"longwave/packager"
)

// Name is that of the steering manifest: {station}/steering.json.
const Name = "steering"

// ttl is how long players wait until they read the manifest again. Those that do not
// see by themselves that a CDN is frozen or has another station's sound hear it for so long.
const ttl = 5 * time.Second

// manifest is a steering manifest (HLS Content Steering Specification, section
// "Steering Manifest").
type manifest struct {
	Version         int      `json:"VERSION"`
	TTL             int      `json:"TTL"` // in seconds
	PathwayPriority []string `json:"PATHWAY-PRIORITY"`
}

// object returns the manifest with a list of pathways.
func object(station string, list []string) packager.Object {
	data, err := json.Marshal(manifest{Version: 1, TTL: int(ttl.Seconds()), PathwayPriority: list})
	if err != nil {
		panic(err) // strings and numbers
	}
	return packager.Object{Key: packager.Key{Station: station, Kind: packager.State, Name: Name}, Data: append(data, '\n')}
}
