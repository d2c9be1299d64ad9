// Package pages holds what builds and tests the pages of origin/web and of
// ingest/studio/page, and the test that what was built is of the sources beside it.
//
//	src/, strings/, package-lock.json, tools/bundle.mjs ── build.mjs ──> dist/
//	test/                                               ── test.mjs
//
// Each page has its own packages: the tools run in its folder (npm run build, npm test)
// and take them from there.
//
// This package does not hold code.
package pages
