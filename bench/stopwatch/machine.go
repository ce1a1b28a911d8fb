package stopwatch

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Machine is what the figures were measured on.
type Machine struct {
	OS      string  `json:"os"` // and architecture
	CPU     string  `json:"cpu"`
	CPUs    int     `json:"cpus"`
	Go      string  `json:"go"`
	LoadAvg float64 `json:"load_average"` // over the minute before the start; 0 where not known
}

// ThisMachine describes this one.
func ThisMachine() Machine {
	m := Machine{OS: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version()}
	info, _ := os.ReadFile("/proc/cpuinfo") // Linux alone
	if _, rest, ok := bytes.Cut(info, []byte("model name")); ok {
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		m.CPU = strings.Trim(string(line), " \t:")
	}
	load, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(load), " ")
	m.LoadAvg, _ = strconv.ParseFloat(first, 64)
	return m
}

// String is the machine on one line, with a warning where others use it too.
func (m Machine) String() string {
	s := fmt.Sprintf("%s, %d CPUs %s, %s, load average %.1f", m.OS, m.CPUs, m.CPU, m.Go, m.LoadAvg)
	if m.LoadAvg > float64(m.CPUs)/2 {
		s += ": the machine is busy with other work, believe figures of cpu and ratios only"
	}
	return s
}

// rss returns the resident memory of the process in bytes, 0 where not known.
func rss() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	if f := strings.Fields(string(b)); len(f) > 1 {
		n, _ := strconv.ParseInt(f[1], 10, 64)
		return n * int64(os.Getpagesize())
	}
	return 0
}
