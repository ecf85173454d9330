// Command abuse attacks a daemon of its own on all its edges, and tells whether others notice.
//
//	abuse [-short] [-times N] -hmacd BIN -dir DIR [ATTACK...]  each attack; prints a Markdown table
//	abuse -soak SECONDS [-seed N] -hmacd BIN -dir DIR          random hostile traffic on one daemon
//
// DIR is a folder of `hmacd dev` that is stopped: its token, registry and access keys are used. All connections are to
// loopback and to a Unix socket in DIR, and are bounded in count and time. Fails when the daemon ends, or does not answer
// a call of the modest caller, who sends ten calls a second on each edge.
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
	flag.BoolVar(&o.short, "short", false, "attacks of a twentieth of the size")
	flag.IntVar(&o.times, "times", 1, "so many times the size")
	flag.IntVar(&o.soak, "soak", 0, "seconds of random hostile traffic instead")
	flag.Int64Var(&o.seed, "seed", time.Now().UnixNano(), "of the random traffic")
	flag.StringVar(&o.role, "role", "", "for the child processes of this program")
	flag.StringVar(&o.input, "world", "", "for the child processes of this program")
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

// child starts this program in another role. Its input ends when it is to end; its output is one line of JSON.
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

// end has the child end, and reads what it says.
func (c *child) end(limit time.Duration, into any) {
	_ = c.in.Close()
	select {
	case <-c.done:
	case <-time.After(limit):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
	if err := json.Unmarshal([]byte(c.out.String()), into); err != nil {
		log.Printf("a child process said %q", c.out)
	}
}

// untilInputEnds waits for the parent process to close our input.
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
