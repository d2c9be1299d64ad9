package studio

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"longwave/ingest"
	"longwave/ingest/broadcast"
	"longwave/ingest/mix"
	"longwave/ingest/token"
)

// A Station is one programme as its host works with it.
type Station struct {
	Name  string // as in addresses
	Title string // for people; empty: the name
	Desk  *ingest.Desk
	Show  *broadcast.Show
	// Meters are the programme's: [ingest.Programme.Meters].
	Meters func() mix.Snapshot
	// Push returns the addresses to which a link's holder may push instead of using the
	// page, by transport: icecast, rtmp, srt, whip. Nil: there are none.
	Push func(token string) map[string]string
	// Alarms returns what else the host should know, such as an edge that fails; nil:
	// nothing. It is asked once a second and must not block.
	Alarms func() []Alarm
	// Pathways are the ways to listeners; nil: none are configured.
	Pathways Pathways
}

// An ICEServer helps a browser to find its way to us (W3C webrtc-pc section 4.2.2).
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Options are what an [API] works with.
type Options struct {
	Stations []Station
	Tokens   *token.Signer
	Public   string // the public address, without a slash at its end: "https://radio.example"
	// Twins are the public addresses of other nodes: the studio's page of any of them may
	// use this API.
	Twins      []string
	ICEServers []ICEServer
	// Streams is how many event streams may be open; 0: 200. StreamsEach is how many of
	// one token; 0: 4.
	Streams, StreamsEach int
	Log                  *slog.Logger          // nil: nothing is told; tokens never are
	Registry             prometheus.Registerer // nil: nothing is counted in public
}

// An API answers for the studio. It is safe for concurrent use.
type API struct {
	opt      Options
	metrics  *metrics
	stations map[string]*station // by name; never changes
	streams  streams
}

// New returns the API of some stations. It needs Run to tell what happens.
func New(opt Options) *API {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Streams == 0 {
		opt.Streams = 200
	}
	if opt.StreamsEach == 0 {
		opt.StreamsEach = 4
	}
	a := &API{opt: opt, stations: map[string]*station{}, streams: streams{most: opt.Streams, each: opt.StreamsEach}}
	a.metrics = newMetrics(opt.Registry, &a.streams)
	for _, s := range opt.Stations {
		if s.Title == "" {
			s.Title = s.Name
		}
		a.stations[s.Name] = newStation(s)
	}
	return a
}

// Run watches the stations until ctx ends, closes the event streams with a goodbye then,
// and returns nil.
func (a *API) Run(ctx context.Context) error {
	var g errgroup.Group
	for _, s := range a.stations {
		g.Go(func() error {
			s.run(ctx, a.opt.Log)
			return nil
		})
	}
	err := g.Wait()
	a.streams.close()
	return err
}

// Routes adds the API's routes to r, below /api/v1.
func (a *API) Routes(r chi.Router) {
	r.Route("/api/v1", func(r chi.Router) {
		r.Use(a.twins)
		r.NotFound(a.notFound)
		r.MethodNotAllowed(a.notAllowed)
		r.Get("/openapi.json", serveDocument(documentJSON))
		r.Get("/openapi.yaml", serveDocument(documentYAML))
		r.Get("/stations", a.handle(anybody, (*call).getStations))
		a.stationRoutes(r)
	})
}

// stationRoutes are not a router of their own: what it has at its root, chi says it has
// with every method.
func (a *API) stationRoutes(r chi.Router) {
	const station = "/stations/{station}"
	r.Get(station, a.handle(anybody, (*call).getStation))
	r.Get(station+"/events", a.events)
	r.Get(station+"/broadcasts", a.handle(hosts, (*call).getBroadcasts))
	r.Post(station+"/broadcasts", a.handle(hosts, (*call).postBroadcast))
	r.Get(station+"/broadcasts/{broadcast}", a.handle(hosts, (*call).getBroadcast))
	r.Patch(station+"/broadcasts/{broadcast}", a.handle(hosts, (*call).patchBroadcast))
	r.Delete(station+"/broadcasts/{broadcast}", a.handle(hosts, (*call).deleteBroadcast))
	r.Post(station+"/live", a.handle(hosts, (*call).postLive))
	r.Post(station+"/end", a.handle(hosts, (*call).postEnd))
	r.Put(station+"/hold", a.handle(hosts, (*call).putHold))
	r.Get(station+"/record", a.handle(hosts, (*call).getRecord))
	r.Put(station+"/record", a.handle(hosts, (*call).putRecord))
	r.Get(station+"/links", a.handle(hosts, (*call).getLinks))
	r.Post(station+"/links", a.handle(hosts, (*call).postLink))
	r.Delete(station+"/links/{link}", a.handle(hosts, (*call).deleteLink))
	r.Get(station+"/speakers", a.handle(anybody, (*call).getSpeakers))
	r.Patch(station+"/speakers/{seat}", a.handle(anybody, (*call).patchSpeaker))
	r.Delete(station+"/speakers/{seat}", a.handle(hosts, (*call).deleteSpeaker))
	r.Get(station+"/pathways", a.handle(hosts, (*call).getPathways))
	r.Patch(station+"/pathways/{pathway}", a.handle(hosts, (*call).patchPathway))
	r.Put(station+"/cue", a.handle(hosts, (*call).putCue))
	r.Put(station+"/talkback", a.handle(hosts, (*call).putTalkback))
}

// A call is one request whose token opens the station.
type call struct {
	api     *API
	w       http.ResponseWriter
	r       *http.Request
	station *station // nil where the route names none
	token   token.Token
	now     time.Time
}

// An answer is what a call comes to. A nil body is none.
type answer struct {
	status int
	body   any
}

// handle returns the handler of a route for those who may use it.
func (a *API) handle(who right, do func(*call) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := a.admit(w, r, who)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		ans, err := do(c)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		a.metrics.answered(r, ans.status)
		writeJSON(w, ans.status, "application/json", ans.body)
	}
}
