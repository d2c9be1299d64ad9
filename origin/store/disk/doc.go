// Package disk keeps objects as files: the name of an object is its path below
// one folder, so any web server can hand the folder out.
//
//	data/
//	  talk/opus-48/928374651.m4s
//	  talk/opus-48/live.m3u8
//	  _/settings/talk.json          private: a web server must not hand out "_"
//	  .tmp/4f1c…/                   being written, one folder a process
//
// A file is written in .tmp, flushed, and then given its name by link(2), which
// fails when the name is taken, or by rename(2), which replaces. So a name leads
// to a whole file at every moment, and a process that is killed leaves nothing
// but files in .tmp; the next one removes them. Everything is flushed to the
// medium (file, then folder) before Put returns, except parts: after a power cut
// nobody asks for them again.
//
// Several processes may use one folder: compare-and-swap holds a lock on the
// object's folder (flock(2)), not in memory. The folder must be one file system
// that has hard links and flock: any local one does.
//
// This package does not keep headers, which follow from the name, and does not
// delete what is old: store.Retain does.
package disk
