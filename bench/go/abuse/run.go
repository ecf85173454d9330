package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	before     = 2 * time.Second
	hold       = 12 * time.Second // The duration of a complete attack: longer than the timeout of a request.
	settleDown = time.Second

	warmUpCalls   = 400_000
	warmUpWorkers = 8 // On each edge.
)

// attackAll runs the attacks one after the other, and prints a table. It restarts the daemon only if the
// daemon has ended.
func attackAll(o options) {
	w := makeWorld(o)
	list := o.names
	if len(list) == 0 {
		list = names(o.short)
	}
	for _, name := range list {
		find(name)
	}
	fmt.Printf("Size: %g. A cell of a caller: answered/sent calls, p99 in ms. Memory in MiB: used heap, heap after a "+
		"collection, direct, counted for connections, resident.\n\n", w.Size)
	fmt.Println("| attack | connections | cut | alive | AWS | gRPC | socket | scrapes | heap | live | direct | counted | RSS | " +
		"connections refused | calls refused | log kB |")
	fmt.Println("| --- |" + strings.Repeat(" ---: |", 15))
	var d *daemon
	failed := false
	for _, name := range list {
		if d == nil || !d.alive() {
			if d != nil {
				d.end()
			}
			d = w.startDaemon(o)
			if w.Key == "" {
				w.makeKeys()
			}
			if !o.short {
				w.warmUp()
			}
		}
		failed = !w.attackOnce(d, find(name)) || failed
	}
	d.end()
	if failed {
		log.Fatal("the daemon ended, or did not answer all calls of the modest caller")
	}
}

// warmUp makes calls until the JVM has compiled the frequent methods.
func (w *world) warmUp() {
	var wait sync.WaitGroup
	for _, edge := range edges(w) {
		var begun atomic.Int64
		for range warmUpWorkers {
			wait.Go(func() {
				for i := begun.Add(1); i <= warmUpCalls/3; i = begun.Add(1) {
					index := int(2 * i) // An even call uses a kept connection.
					if i%50 == 0 {
						index++
					}
					ctx, cancel := context.WithTimeout(context.Background(), modestLimit)
					check(edge.call(ctx, index))
					cancel()
				}
			})
		}
	}
	wait.Wait()
}

// pause returns the duration of a pause, at most a second in a short run.
func (w *world) pause(full time.Duration) time.Duration {
	if w.Size < 1 {
		return min(full/2, time.Second)
	}
	return full
}

// attackOnce runs an attack and prints its row. It returns whether the daemon is alive and the modest
// caller got every answer that it must get.
func (w *world) attackOnce(d *daemon, a attack) bool {
	world := w.write()
	uid := -1
	if w.OtherUID {
		uid = nobody
	}
	caller := startChild("modest", world, uid)
	time.Sleep(w.pause(before))
	connectionsBefore, callsBefore := d.refusals()
	logBefore := d.logBytes()
	d.mutex.Lock()
	d.peaks = usage{}
	d.resetResident()
	d.mutex.Unlock()
	began := time.Since(d.started)

	count := w.sized(a)
	shards := (count + perShard - 1) / perShard
	var attackers []*attacker
	for shard := range shards {
		attackers = append(attackers, startAttacker(world, fmt.Sprintf("%s/%d/%d", a.name, shard, shards)))
	}
	for _, each := range attackers {
		each.awaitAll()
	}
	time.Sleep(w.pause(hold))
	connections, calls := d.refusals()
	alive := d.alive()
	var sum stats
	for _, each := range attackers {
		s := each.end()
		sum.Opened += s.Opened
		sum.Failed += s.Failed
		sum.Cut += s.Cut
	}
	time.Sleep(w.pause(settleDown))
	outcomes := map[string]*outcome{}
	caller.end(w.Patience+5*time.Second, &outcomes)

	good := alive
	cells := ""
	for _, edge := range []string{"AWS", "gRPC", "socket", "metrics"} {
		got := outcomes[edge]
		if got == nil {
			got = &outcome{}
		}
		if edge == "socket" && a.otherUID && !w.OtherUID {
			cells += " (one user) |" // The daemon cannot distinguish the two callers.
			continue
		}
		if edge != "metrics" || a.scrapes {
			good = good && got.Sent > 0 && got.Answered == got.Sent
		}
		cells += fmt.Sprintf(" %d/%d %d |", got.Answered, got.Sent, got.p99().Milliseconds())
		for text, times := range got.Errors {
			log.Printf("%s: %s: %d times: %s", a.name, edge, times, text)
		}
	}
	peak := d.peak()
	live, _ := d.liveHeap(began)
	text := "yes"
	if !alive {
		text = fmt.Sprintf("**no: %v**", d.state)
	}
	const mib = 1 << 20
	fmt.Printf("| %s | %d | %d | %s |%s %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f |\n",
		a.name, sum.Opened, sum.Cut+sum.Failed, text, cells, peak.heap/mib, live, peak.direct/mib, peak.held/mib, peak.rss/mib,
		max(0, connections-connectionsBefore), max(0, calls-callsBefore), float64(d.logBytes()-logBefore)/1000)
	return good
}

// attacker is a process with a lower priority than the daemon and the modest caller.
type attacker struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	stop  func()
}

func startAttacker(world, name string) *attacker {
	self, err := os.Executable()
	check(err)
	cmd := exec.Command("nice", "-n", "10", self, "-role", "attack", "-world", world, name)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	check(err)
	out, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	return &attacker{cmd, bufio.NewScanner(out), func() { _ = in.Close() }}
}

// awaitAll waits until the attacker has made all its connections.
func (a *attacker) awaitAll() {
	a.lines.Scan()
}

func (a *attacker) end() (s stats) {
	a.stop()
	if a.lines.Scan() {
		_, _ = fmt.Sscanf(a.lines.Text(), `{"Opened":%d,"Failed":%d,"Cut":%d}`, &s.Opened, &s.Failed, &s.Cut)
	}
	_ = a.cmd.Wait()
	return
}
