//go:build linux

package sandbox

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// openCalls are the calls that open a file and the number of their flags.
var openCalls = []struct {
	nr    uintptr
	flags uint32
}{{unix.SYS_OPENAT, 2}}

// deniedHere are calls that only this architecture has.
var deniedHere = []uintptr{unix.SYS_RENAMEAT}
