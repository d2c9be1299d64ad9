package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ticks is the unit of CPU times in /proc, per second, on every Linux that Go runs on.
const ticks = 100

// A moment is how much CPU had been used, by everything and by us.
type moment struct {
	at          time.Time
	busy, tree  time.Duration // of all processors together
	interrupted time.Duration // part of busy: serving interrupts
	stolen      time.Duration // by other guests of the same host
}

// A load says what else the machine did in a span of time, in percent of one
// processor. Two processors can do 200.
type load struct {
	Others float64 `json:"others_percent"`
	Stolen float64 `json:"stolen_percent"`
}

// now reads the clock and the CPU times.
func now() (moment, error) {
	m := moment{at: time.Now()}
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return m, err
	}
	if err := m.parse(string(b)); err != nil {
		return m, err
	}
	m.tree, err = treeTime(os.Getpid())
	return m, err
}

// parse takes the first line of /proc/stat (proc_stat(5)).
func (m *moment) parse(stat string) error {
	line, _, _ := strings.Cut(stat, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return fmt.Errorf("/proc/stat begins with %q", line)
	}
	var v [9]time.Duration
	for i := 1; i < 9; i++ {
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return fmt.Errorf("/proc/stat: %w", err)
		}
		v[i] = time.Duration(n) * time.Second / ticks
	}
	user, nice, system, irq, softirq := v[1], v[2], v[3], v[6], v[7]
	m.busy, m.interrupted, m.stolen = user+nice+system+irq+softirq, irq+softirq, v[8]
	return nil
}

// since returns the load between two moments. Interrupts are nobody's: much of
// them is our own loopback traffic.
func (m moment) since(o moment) load {
	span := m.at.Sub(o.at).Seconds()
	if span <= 0 {
		return load{}
	}
	others := (m.busy - o.busy) - (m.interrupted - o.interrupted) - (m.tree - o.tree)
	return load{
		Others: round(100*max(0, others.Seconds())/span, 0),
		Stolen: round(100*(m.stolen-o.stolen).Seconds()/span, 0),
	}
}

// A process as /proc/PID/stat shows it.
type process struct {
	parent int
	used   time.Duration // by itself and its children that have ended
}

func parseStat(s string) (process, error) {
	end := strings.LastIndex(s, ")") // the name before it may hold anything
	f := strings.Fields(s[end+1:])
	if end < 0 || len(f) < 15 {
		return process{}, fmt.Errorf("not a line of /proc/PID/stat: %q", s)
	}
	var p process
	var err error
	if p.parent, err = strconv.Atoi(f[1]); err != nil {
		return process{}, err
	}
	for _, v := range f[11:15] { // utime stime cutime cstime
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return process{}, err
		}
		p.used += time.Duration(n) * time.Second / ticks
	}
	return p, nil
}

// processes reads all of them. One that ends meanwhile is left out.
func processes() (map[int]process, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	all := make(map[int]process, len(paths))
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		p, err := parseStat(string(b))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			all[pid] = p
		}
	}
	return all, nil
}

// family returns root and everything that descends from it.
func family(all map[int]process, root int) []int {
	pids := []int{root}
	for i := 0; i < len(pids); i++ {
		for pid, p := range all {
			if p.parent == pids[i] && pid != root {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// treeTime is the CPU time of a process and all that it started, in steps of 10 ms.
func treeTime(root int) (time.Duration, error) {
	all, err := processes()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range family(all, root) {
		sum += all[pid].used
	}
	return sum, nil
}

// cpuTime is the CPU time of one process, to the nanosecond
// (clock_getcpuclockid(3)). Its children are not in it.
func cpuTime(pid int) (time.Duration, error) {
	const sched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &ts); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// familyTime is the CPU time of a process and of what it started and still runs.
func familyTime(root int) (time.Duration, error) {
	all, err := processes()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range family(all, root) {
		d, err := cpuTime(pid)
		if err != nil && pid == root {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// resident is the memory of a process in bytes (VmRSS in /proc/PID/status).
func resident(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, ok := strings.Cut(string(b), "VmRSS:")
	f := strings.Fields(after)
	if !ok || len(f) < 1 {
		return 0, fmt.Errorf("process %d has no VmRSS", pid)
	}
	kib, err := strconv.ParseInt(f[0], 10, 64)
	return kib << 10, err
}

// A machine is what the figures were measured on.
type machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Memory    string `json:"memory"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	Files     uint64 `json:"files_per_process"`
}

func describeMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Files: fileLimit()}
	m.Processor = field("/proc/cpuinfo", "model name")
	m.Memory = field("/proc/meminfo", "MemTotal")
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(b))
	}
	return m
}

// field returns the first "name: value" of a file, or "".
func field(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// fileLimit raises the number of files that this process and its children may have
// open as far as it is allowed, and returns it.
func fileLimit() uint64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	for _, want := range []uint64{1 << 17, l.Max} {
		raised := unix.Rlimit{Cur: want, Max: max(want, l.Max)}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			return want
		}
	}
	return l.Cur
}
