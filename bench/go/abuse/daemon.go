package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const startLimit = 90 * time.Second

// daemon is a daemon with the shipped launcher and its memory limits.
type daemon struct {
	cmd     *exec.Cmd
	log     string
	gcLog   string
	metrics string
	done    chan struct{}
	started time.Time
	state   error

	mutex sync.Mutex
	peaks usage
	last  usage
	stop  chan struct{}
}

// usage is the resource usage of the daemon. Memory is in bytes.
type usage struct {
	heap, direct, held, rss, descriptors, threads float64
}

func (w *world) startDaemon(o options) *daemon {
	d := &daemon{
		log: w.file("abuse.log"), gcLog: w.file("gc.log"), metrics: w.Metrics,
		done: make(chan struct{}), stop: make(chan struct{}), started: time.Now(),
	}
	_ = os.Remove(w.Socket)
	output, err := os.Create(d.log)
	check(err)
	defer output.Close()
	d.cmd = exec.Command(o.hmacd, "serve", "--config", w.file("abuse.yaml"))
	d.cmd.Stdout, d.cmd.Stderr = output, output
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// The launcher disables the attach mechanism of the JVM, which collect uses.
	options := os.Getenv("HMACD_JAVA_OPTS") + " -XX:-DisableAttachMechanism -Xlog:gc:file=" + d.gcLog +
		":uptime:filecount=0"
	d.cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+w.file("softhsm2.conf"), "HMACD_JAVA_OPTS="+options)
	check(d.cmd.Start())
	go func() {
		d.state = d.cmd.Wait()
		close(d.done)
	}()
	for end := time.Now().Add(startLimit); d.sample("hmacd_token_healthy") != 1; time.Sleep(100 * time.Millisecond) {
		if !d.alive() || time.Now().After(end) {
			text, _ := os.ReadFile(d.log)
			log.Fatalf("the daemon did not start to serve:\n%s", text)
		}
	}
	if d.usage().heap == 0 {
		log.Fatal("the daemon has no metric jvm_memory_used_bytes")
	}
	go d.watch()
	return d
}

func (d *daemon) alive() bool {
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

func (d *daemon) end() {
	close(d.stop)
	if d.alive() {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
	}
	select {
	case <-d.done:
	case <-time.After(60 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.done
	}
}

// watch records the peaks.
func (d *daemon) watch() {
	for {
		select {
		case <-d.stop:
			return
		case <-d.done:
			return
		case <-time.After(250 * time.Millisecond):
		}
		now := d.usage()
		d.mutex.Lock()
		d.last = now
		d.peaks = usage{
			max(d.peaks.heap, now.heap), max(d.peaks.direct, now.direct), max(d.peaks.held, now.held),
			max(d.peaks.rss, now.rss), max(d.peaks.descriptors, now.descriptors), max(d.peaks.threads, now.threads),
		}
		d.mutex.Unlock()
	}
}

func (d *daemon) peak() usage {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.peaks
}

func (d *daemon) usage() usage {
	all := d.scrape()
	u := usage{heap: all[`jvm_memory_used_bytes{area="heap"}`]}
	// Netty counts its direct memory itself, or the JDK counts it.
	u.direct = max(all[`jvm_buffer_pool_used_bytes{pool="direct"}`], all["hmacd_netty_direct_bytes"])
	u.held = all["hmacd_connection_memory_bytes"]
	proc := fmt.Sprintf("/proc/%d/", d.cmd.Process.Pid)
	if status, err := os.ReadFile(proc + "status"); err == nil {
		u.rss = 1024 * statusValue(status, "VmHWM")
		u.threads = statusValue(status, "Threads")
	}
	if entries, err := os.ReadDir(proc + "fd"); err == nil {
		u.descriptors = float64(len(entries))
	}
	return u
}

// resetResident resets the kernel's peak of the resident memory (proc_pid_clear_refs(5)).
func (d *daemon) resetResident() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", d.cmd.Process.Pid), []byte("5"), 0)
}

func statusValue(status []byte, name string) float64 {
	m := regexp.MustCompile(`(?m)^` + name + `:\s*(\d+)`).FindSubmatch(status)
	if m == nil {
		return 0
	}
	value, _ := strconv.ParseFloat(string(m[1]), 64)
	return value
}

var metricsClient = &http.Client{Timeout: 5 * time.Second}

// scrape returns the metrics, or an empty map if the scrape fails.
func (d *daemon) scrape() map[string]float64 {
	all := map[string]float64{}
	answer, err := metricsClient.Get("http://" + d.metrics + "/metrics")
	if err != nil {
		return all
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return all
	}
	text, _ := io.ReadAll(answer.Body)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if space := strings.LastIndexByte(line, ' '); space > 0 && line[0] != '#' {
			all[line[:space]], _ = strconv.ParseFloat(line[space+1:], 64)
		}
	}
	return all
}

// sample returns the sum of a metric over its labels.
func (d *daemon) sample(name string) float64 {
	sum := 0.0
	for each, value := range d.scrape() {
		if each == name || strings.HasPrefix(each, name+"{") {
			sum += value
		}
	}
	return sum
}

// refusals returns the number of refused or cut connections, and of calls with an error.
func (d *daemon) refusals() (connections, calls float64) {
	all := d.scrape()
	for range 10 { // An attack on the metrics may make a scrape fail.
		if len(all) > 0 {
			break
		}
		time.Sleep(scrapePause / 10)
		all = d.scrape()
	}
	for name, value := range all {
		switch {
		case strings.HasPrefix(name, "hmacd_") && regexp.MustCompile(`refused|evict|_cut`).MatchString(name) &&
			!strings.Contains(name, "pin"):
			connections += value
		case strings.HasPrefix(name, "hmacd_calls_total") && !strings.Contains(name, `reason="OK"`):
			calls += value
		}
	}
	return
}

// liveHeap returns the maximum and the last size of the heap after a garbage collection, in MiB.
func (d *daemon) liveHeap(since time.Duration) (most, last float64) {
	file, err := os.Open(d.gcLog)
	if err != nil {
		return
	}
	defer file.Close()
	form := regexp.MustCompile(`^\[([0-9.]+)s\].* (\d+)M->(\d+)M\(`)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if m := form.FindSubmatch(bytes.TrimSpace(lines.Bytes())); m != nil {
			at, _ := strconv.ParseFloat(string(m[1]), 64)
			if at >= since.Seconds() {
				last, _ = strconv.ParseFloat(string(m[3]), 64)
				most = max(most, last)
			}
		}
	}
	return
}

func (d *daemon) logBytes() int64 {
	info, err := os.Stat(d.log)
	if err != nil {
		return 0
	}
	return info.Size()
}

// collect runs a full garbage collection, so that the size of the heap is that of live objects.
func (d *daemon) collect() {
	jcmd := filepath.Join(os.Getenv("JAVA_HOME"), "bin", "jcmd")
	check(exec.Command(jcmd, strconv.Itoa(d.cmd.Process.Pid), "GC.run").Run())
	time.Sleep(time.Second)
}
