package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"scantrail/bench/kafka"
	"scantrail/sink/chdb"
)

// result is what one peer took, from the end of the warm-up.
type result struct {
	Peer        string     `json:"peer"`
	Does        string     `json:"does"`
	Scans       int64      `json:"scans"` // measured
	Rows        int64      `json:"rows"`
	Transitions int64      `json:"transitions"`
	Seconds     float64    `json:"seconds"`
	PeerCPU     float64    `json:"peer_cpu_seconds"`
	BrokerCPU   float64    `json:"broker_cpu_seconds"`
	EngineCPU   float64    `json:"engine_cpu_seconds"`
	PeerPeak    int64      `json:"peer_peak_bytes"`
	BrokerPeak  int64      `json:"broker_peak_bytes"`
	EnginePeak  int64      `json:"engine_peak_bytes"`
	Judgement   *judgement `json:"judgement,omitempty"`
}

func (r *result) use(first, end sample) {
	r.PeerCPU = (end.peer.CPU - first.peer.CPU).Seconds()
	r.BrokerCPU = (end.broker.CPU - first.broker.CPU).Seconds()
	r.EngineCPU = (end.engine.CPU - first.engine.CPU).Seconds()
	r.PeerPeak, r.BrokerPeak, r.EnginePeak = end.peer.Peak, end.broker.Peak, end.engine.Peak
}

// rate is 0 where the input was read before it could be measured.
func (r *result) rate() float64 {
	if r.Seconds == 0 {
		return 0
	}
	return float64(r.Scans) / r.Seconds
}

// perScan is microseconds of CPU, of all processes.
func (r *result) perScan() float64 {
	return r.per(r.PeerCPU + r.BrokerCPU + r.EngineCPU)
}

func (r *result) per(seconds float64) float64 {
	return seconds / float64(max(r.Scans, 1)) * 1e6
}

func (r *result) line() string {
	s := fmt.Sprintf("%.0f scans/s, %.1f µs of CPU a scan", r.rate(), r.perScan())
	if r.Scans == 0 {
		s = "too few scans to measure"
	}
	if j := r.Judgement; j != nil {
		s += fmt.Sprintf("; %d alerts, %d not true, %d not found", j.Alerts, j.NotTrue, j.NotFound)
	}
	return s
}

// report is a whole run.
type report struct {
	Began   time.Time `json:"began"`
	Scans   int64     `json:"scans"`
	Bytes   int64     `json:"bytes"`
	Seed    uint64    `json:"seed"`
	CPUs    int       `json:"cpus"`
	Kafka   string    `json:"kafka"`
	Engine  string    `json:"clickhouse"`
	Flink   string    `json:"flink"`
	Go      string    `json:"go"`
	Java    string    `json:"java"`
	Results []result  `json:"results"`
}

// flinkVersion is that of flink/pom.xml.
const flinkVersion = "2.2.1"

func newReport(r *rig) *report {
	return &report{Began: r.input.to, Scans: r.input.scans, Bytes: r.input.bytes, Seed: r.o.Seed, CPUs: runtime.NumCPU(),
		Kafka: kafka.Version, Engine: "chdb " + chdb.Version,
		Flink: flinkVersion, Go: runtime.Version(), Java: javaVersion()}
}

// javaVersion is the first line that java says of itself.
func javaVersion() string {
	out, err := exec.Command("java", "-version").CombinedOutput()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// rateOf is a peer's; 0 where it was not run.
func (r *report) rateOf(peer string) float64 {
	for i := range r.Results {
		if r.Results[i].Peer == peer {
			return r.Results[i].rate()
		}
	}
	return 0
}

// print writes a table. CPU is in µs a scan, memory is the peak of residents.
func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "\n%d scans, %.0f MB of JSON, %d CPUs; Apache Kafka and Kafka Streams %s, Apache Flink %s, %s, %s, %s\n\n",
		r.Scans, float64(r.Bytes)/1e6, r.CPUs, r.Kafka, r.Flink, r.Engine, r.Go, r.Java)
	ours := r.rateOf("scantrail")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "peer\tscans/s\tscantrail is\tseconds\tCPU µs/scan\tpeer\tbroker\tengine\tpeer MiB\ttransitions\talerts\tnot true\tnot found\tdoes")
	for i := range r.Results {
		x := &r.Results[i]
		ratio := "-"
		if x.rate() > 0 {
			ratio = fmt.Sprintf("%.2fx", ours/x.rate())
		}
		alerts := "-\t-\t-"
		if j := x.Judgement; j != nil {
			alerts = fmt.Sprintf("%d\t%d\t%d", j.Alerts, j.NotTrue, j.NotFound)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t%d\t%s\t%s\n", x.Peer, x.rate(), ratio, x.Seconds, x.perScan(),
			x.per(x.PeerCPU), x.per(x.BrokerCPU), x.per(x.EngineCPU), x.PeerPeak>>20, x.Transitions, alerts, x.Does)
	}
	w.Flush() //nolint:errcheck // a terminal
	for i := range r.Results {
		if j := r.Results[i].Judgement; j != nil && len(j.Examples) > 0 {
			fmt.Fprintf(out, "\n%s differs from the truth, such as\n", r.Results[i].Peer)
			for _, e := range j.Examples {
				fmt.Fprintln(out, " ", e)
			}
		}
	}
}

func (r *report) json(out io.Writer) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
