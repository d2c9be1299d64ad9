package ffmpeg

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"longwave/ingest/decode/sandbox"
)

// A process is one run of ffmpeg that writes float samples to its output.
type process struct {
	cmd    *exec.Cmd
	in     *os.File // what it reads; nil when it reads a file
	out    *os.File
	said   *tail
	watch  watch
	kill   context.CancelFunc
	done   chan struct{} // closed when it has ended and all output was handed on
	outErr error         // what the taker of the output said; read after done
	err    error         // how it ended; read after done
}

// start runs ffmpeg with args. With file it reads that file as its standard
// input, otherwise what is written to the process's in.
func start(ctx context.Context, args []string, file *os.File, o Options) (*process, error) {
	path, level, err := o.find(ctx)
	if err != nil {
		return nil, err
	}
	ctx, kill := context.WithCancel(ctx)
	p := &process{kill: kill, said: &tail{}, done: make(chan struct{})}
	p.cmd, err = sandbox.Command(ctx, sandbox.Program{Path: path, Args: args, Level: level, File: file != nil})
	if err != nil {
		kill()
		return nil, err
	}
	if err := p.connect(file); err != nil {
		kill()
		return nil, fmt.Errorf("start ffmpeg: %w", err)
	}
	return p, nil
}

// connect makes the pipes and starts the process.
func (p *process) connect(file *os.File) error {
	p.cmd.Stderr = p.said
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
	}()
	if file != nil {
		p.cmd.Stdin = file
	} else {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		p.cmd.Stdin, p.in = r, w
		theirs = append(theirs, r)
	}
	r, w, err := os.Pipe()
	if err == nil {
		p.cmd.Stdout, p.out = w, r
		theirs = append(theirs, w)
		err = p.cmd.Start()
	}
	if err != nil {
		theirs = append(theirs, p.in, p.out) // Close of a nil file only returns an error
	}
	return err
}

// write feeds the process; it blocks while the process does not read.
func (p *process) write(b []byte) error {
	p.watch.feed(len(b), time.Now())
	_, err := p.in.Write(b)
	return err
}

// finish tells the process that no more input comes.
func (p *process) finish() {
	p.watch.close(time.Now())
	if p.in != nil {
		_ = p.in.Close()
	}
}

// run hands the output on until the process ends, and kills it when out refuses
// or the watch says that it hangs.
func (p *process) run(out func([]float32) error) {
	defer close(p.done)
	defer p.kill()
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		p.guard(stop)
	}()
	p.outErr = p.hand(out)
	close(stop)
	<-watched
	if p.outErr != nil {
		p.kill()
	}
	_ = p.out.Close()
	p.err = p.cmd.Wait()
	if p.in != nil {
		_ = p.in.Close()
	}
}

// guard kills the process when it hangs; it returns when stop is closed.
func (p *process) guard(stop <-chan struct{}) {
	t := time.NewTicker(stallAfter / 8)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-t.C:
			if p.watch.stalled(now) {
				_, _ = io.WriteString(p.said, "no output although fed: killed\n")
				p.kill()
				return
			}
		}
	}
}

// hand reads samples and gives them to out until the output ends (nil) or out
// refuses them (its error).
func (p *process) hand(out func([]float32) error) error {
	buf := make([]byte, 16<<10)
	samples := make([]float32, len(buf)/4)
	have := 0
	for {
		n, err := p.out.Read(buf[have:])
		p.watch.got()
		have += n
		whole := have &^ 7 // a sample of both channels
		if whole > 0 {
			floats(samples, buf[:whole])
			if err := out(samples[:whole/4]); err != nil {
				return err
			}
		}
		have = copy(buf, buf[whole:have])
		if err != nil {
			return nil //nolint:nilerr // the end: how the process ended is told by Wait
		}
		p.watch.waiting(time.Now())
	}
}

func floats(dst []float32, src []byte) {
	for i := range len(src) / 4 {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

// A tail keeps the first lines of what a process says, because one bad stream
// makes hundreds.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const maxSaid = 1000

// Write keeps what there is room for and takes the rest.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b[:min(len(b), maxSaid-len(t.text))]...)
	return len(b), nil
}

// String returns what was kept, on one line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(strings.FieldsFunc(string(t.text), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
