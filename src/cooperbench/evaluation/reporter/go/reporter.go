// Compiled into the package testing by the evaluator (see setup.sh): says on a channel of its own which tests really ran and how they
// ended. What the program prints does not count. Go 1.16 is enough for it.

package testing

import reporterbytes "bytes"
import reporteros "os"
import reporterreflect "reflect"
import reporterruntime "runtime"
import reporterstrings "strings"
import reportersync "sync"
import reportersyscall "syscall"
import reportertime "time"

type cooperbenchReporter struct {
	lock   reportersync.Mutex
	secret string
	roots  map[*common]string
}

var cooperbench = cooperbenchOpen()

func cooperbenchOpen() *cooperbenchReporter {
	if reporteros.Getenv("COOPERBENCH_REPORTER") == "" {
		return nil // a program that a test started
	}
	reporteros.Unsetenv("COOPERBENCH_REPORTER")
	in := reporteros.NewFile(3, "secret")
	secret := make([]byte, 64)
	in.Read(secret)
	in.Truncate(0)
	in.Close()
	reportersyscall.CloseOnExec(4)
	return &cooperbenchReporter{secret: string(secret), roots: map[*common]string{}}
}

func (g *cooperbenchReporter) say(line string) {
	reportersyscall.Write(4, []byte(g.secret+" "+reporterstrings.ReplaceAll(line, "\n", "\\n")+"\n"))
}

// A test is known by its function: whoever hands other functions to the package testing does not get the names of the tests.
func cooperbenchStart(c *common, fn interface{}) {
	if g := cooperbench; g != nil && c.level == 1 {
		g.lock.Lock()
		g.roots[c] = reporterruntime.FuncForPC(reporterreflect.ValueOf(fn).Pointer()).Name()
		g.lock.Unlock()
	}
}

func cooperbenchReport(c *common) {
	g := cooperbench
	if g == nil || c.parent == nil {
		return
	}
	root := c
	for root.level > 1 && root.parent != nil {
		root = root.parent
	}
	g.lock.Lock()
	defer g.lock.Unlock()
	name := g.roots[root]
	if at := reporterstrings.Index(c.name, "/"); at >= 0 && c.level > 1 {
		name += c.name[at:]
	}
	status := "passed "
	if c.Failed() {
		status = "failed "
	} else if c.Skipped() {
		status = "skipped "
	}
	g.say(status + name)
}

func (eg *InternalExample) processRunResult(out string, spent reportertime.Duration, finished bool, recovered interface{}) bool {
	passed := eg.cooperbenchResult(out, spent, finished, recovered)
	if g := cooperbench; g != nil {
		status := "failed "
		if passed {
			status = "passed "
		}
		g.say(status + reporterruntime.FuncForPC(reporterreflect.ValueOf(eg.F).Pointer()).Name())
	}
	return passed
}

func cooperbenchEnd() {
	if g := cooperbench; g != nil {
		if cooperbenchCodeChanged() {
			g.say("changed the code of the program in memory")
		}
		g.say("ended")
	}
}

// Pages of code that were written to are no longer those of the program's file.
func cooperbenchCodeChanged() bool {
	program, _ := reporteros.Readlink("/proc/self/exe")
	maps, _ := reporteros.ReadFile("/proc/self/smaps")
	code := false
	for _, line := range reporterbytes.Split(maps, []byte("\n")) {
		fields := reporterstrings.Fields(string(line))
		if len(fields) >= 5 && reporterstrings.Contains(fields[0], "-") {
			code = len(fields) > 5 && fields[5] == program && reporterstrings.Contains(fields[1], "x")
		} else if code && len(fields) > 1 && fields[0] == "Anonymous:" && fields[1] != "0" {
			return true
		}
	}
	return false
}
