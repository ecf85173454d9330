// Command abuse attacks a daemon on all its edges, and measures the effect on a modest caller.
//
//	abuse [-short] [-times N] -hmacd BIN -dir DIR [ATTACK...]  each attack; prints a Markdown table
//	abuse -soak SECONDS [-seed N] -hmacd BIN -dir DIR          random hostile traffic on one daemon
//
// DIR is a folder of a stopped `hmacd dev`. The command uses its token, registry and access keys. All
// connections are to loopback and to a Unix socket in DIR, and are bounded in count and time. The
// command fails if the daemon ends, or if it does not answer a call of the modest caller. The modest
// caller makes ten calls a second on each edge, and scrapes the metrics once a second.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

type options struct {
	hmacd, dir  string
	short       bool
	times       int
	soak        int
	seed        int64
	role, input string
	names       []string
}

func parse() options {
	var o options
	flag.StringVar(&o.hmacd, "hmacd", "", "the daemon's launcher")
	flag.StringVar(&o.dir, "dir", "", "folder of hmacd dev")
	flag.BoolVar(&o.short, "short", false, "attacks of a twentieth of the size, without the longer attacks")
	flag.IntVar(&o.times, "times", 1, "factor for the number of connections of each attack")
	flag.IntVar(&o.soak, "soak", 0, "seconds of random hostile traffic, instead of the attacks")
	flag.Int64Var(&o.seed, "seed", time.Now().UnixNano(), "seed of the random traffic")
	flag.StringVar(&o.role, "role", "", "role of a child process of this program")
	flag.StringVar(&o.input, "world", "", "file with the settings for a child process of this program")
	flag.Parse()
	o.names = flag.Args()
	return o
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("abuse: ")
	o := parse()
	switch {
	case o.role == "modest":
		modest(readWorld(o.input))
	case o.role == "attack":
		runAttack(readWorld(o.input), o.names[0])
	case o.soak > 0:
		soak(o)
	default:
		attackAll(o)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// child is a process of this program in another role. The parent closes its input to end it. Its
// output is one line of JSON.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *strings.Builder
	done chan error
}

func startChild(role, world string, uid int, arguments ...string) *child {
	self, err := os.Executable()
	check(err)
	c := &child{
		cmd: exec.Command(self, append([]string{"-role", role, "-world", world}, arguments...)...),
		out: &strings.Builder{}, done: make(chan error, 1),
	}
	if uid >= 0 {
		c.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	c.cmd.Stdout, c.cmd.Stderr = c.out, os.Stderr
	c.in, err = c.cmd.StdinPipe()
	check(err)
	check(c.cmd.Start())
	go func() { c.done <- c.cmd.Wait() }()
	return c
}

// end ends the child, and reads its output.
func (c *child) end(limit time.Duration, into any) {
	_ = c.in.Close()
	select {
	case <-c.done:
	case <-time.After(limit):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
	if err := json.Unmarshal([]byte(c.out.String()), into); err != nil {
		log.Printf("a child process printed no JSON, but %q", c.out)
	}
}

// untilInputEnds returns a channel that closes when the parent process closes the input.
func untilInputEnds() <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	return ended
}

func printJSON(value any) {
	text, err := json.Marshal(value)
	check(err)
	fmt.Println(string(text))
}
