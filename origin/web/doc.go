// Package web holds the pages for listeners: a player at /{station}/ and the
// scripts, styles and pictures it needs, embedded in the binary.
//
//	strings/*.json ─┐                          ┌─ Page(Station) ──> /{station}/
//	src/*.ts, css ──┼─ esbuild ─> dist/ ─ embed ┤
//	hls.js ─────────┘                          └─ Assets() ───────> /{station}/a/{name}-{hash}.{ext}
//
// A page is the same bytes for everybody and names everything relative to
// itself, so that it can be served by the origin, by an edge, or from a bucket.
// It asks nobody but its own host and the hosts that the playlists name, sets no
// cookie and stores nothing; the policy that it carries lets it do no more. Its
// words are German or English after the browser's languages.
//
// dist/ is committed so that the module builds without node. After a change in
// src/, strings/ or package-lock.json: npm run build.
//
// This package does not serve playlists or media, it does not know what is on
// air, and it does not hold the studio's pages.
package web
