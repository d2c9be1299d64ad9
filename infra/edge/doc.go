// Command edge writes what caches of one's own need to stand before an origin: a VCL for
// Varnish, a folder for Apache Traffic Server, a site for nginx, all of one table of
// rules ([longwave/packager.CacheRules]).
//
//	go run ./infra/edge                                      what is committed, for origin and store on this machine
//	go run ./infra/edge -origin HOST:PORT -out DIR           for a place
//
// This program does not run a cache and does not speak to one.
package main
