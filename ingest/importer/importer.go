package importer

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// rows reads a file row by row; io.EOF after the last one. Another error ends
// the file.
type rows interface{ next(r *Row) error }

// Importer reads files of one kind.
type Importer struct {
	config Config
	clock  *carriers.Clock
}

// New checks the configuration. Its errors name the flag to correct.
func New(c Config) (*Importer, error) {
	if c.Limits.Bytes == 0 {
		c.Limits.Bytes = 1 << 20
	}
	clock, err := carriers.NewClock(c.TimeLayouts, c.Zone)
	if err != nil {
		return nil, fmt.Errorf("--zone or --time-layout: %w", err)
	}
	known := Fields(c.Kind)
	for flag, given := range map[string]map[string]string{"--map": c.Columns, "--set": c.Values} {
		for name := range given {
			if !slices.Contains(known, name) {
				return nil, fmt.Errorf("%s %.40q: no such column; want one of %s", flag, name, strings.Join(known, ", "))
			}
		}
	}
	if c.Carrier != "" && !schemas.IsCarrierName([]byte(c.Carrier)) {
		return nil, fmt.Errorf("--carrier %.70q: want a name of scantrail carrier list, or the end of a raw topic's name: a-z, 0-9, _ and -", c.Carrier)
	}
	if c.Kind == Scans && c.Whole && c.Carrier == "" {
		return nil, fmt.Errorf("--whole needs --carrier NAME: whose records these are")
	}
	return &Importer{config: c, clock: clock}, nil
}

// IsTable reports whether a file is read as CSV, by its name, and whether the name
// says what it is.
func IsTable(file string) (csv, known bool) {
	switch strings.ToLower(filepath.Ext(strings.TrimSuffix(file, ".bad"))) {
	case ".csv", ".tsv", ".txt":
		return true, true
	case ".jsonl", ".ndjson", ".json":
		return false, true
	}
	return false, false
}

// open returns the reader of a file's rows. check has each record read as ingest
// will.
func (im *Importer) open(name string, f io.Reader, check bool) (rows, error) {
	c := &im.config
	var read *reader
	if check && c.Kind == Scans {
		read = &reader{decoder: c.Registry.NewDecoder(c.Limits), now: time.Now().UnixMilli()}
	}
	if c.Kind == Scans && c.Whole {
		return &wholeFile{file: name, carrier: c.Carrier, from: f, limit: c.Limits.Bytes, reader: read}, nil
	}
	csv, known := IsTable(name)
	switch {
	case !known:
		return nil, Problem{File: name, What: "the name does not say what it holds", Remedy: "call it .csv or .jsonl"}
	case csv:
		t, err := newTable(name, f, c, fieldsOf(c.Kind))
		if err != nil {
			return nil, err
		}
		if c.Kind == Orders {
			return newOrderTable(t, im.clock, c.Registry, check)
		}
		return newScanTable(t, im.clock, c.Carrier, read)
	case c.Kind == Scans && c.Carrier == "":
		return nil, Problem{File: name, What: "raw records without a carrier", Remedy: "say whose they are: --carrier NAME"}
	}
	limit := schemas.MaxOrderFactBytes
	if c.Kind == Scans {
		limit = c.Limits.Bytes
	}
	l, err := newLineFile(name, f, limit)
	if err == nil && c.Kind == Scans {
		l.carrier, l.reader = c.Carrier, read
	}
	return l, err
}

// Read calls each for every row of a file; done is how much of the file was read
// by then, in bytes. check has each record read as ingest will, so that rows have
// all their problems; without it a file is read that was checked before. The error
// is a Problem where the file, or its rest, cannot be read.
func (im *Importer) Read(ctx context.Context, name string, check bool, each func(r *Row, done int64) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && !st.Mode().IsRegular() {
		return Problem{File: name, What: "not a regular file, and it is read twice", Remedy: "write it to a file first"}
	}
	counted := &counter{r: f}
	from, err := im.open(name, counted, check)
	if err != nil {
		return err
	}
	var r Row
	for n := 0; ; n++ {
		r = Row{Records: r.Records[:0], Problems: r.Problems[:0]}
		if err := from.next(&r); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := each(&r, counted.n); err != nil {
			return err
		}
	}
}

type counter struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Header returns the header row of a table as CSV, and the headers that mean
// nothing to an import; nothing for other files.
func (im *Importer) Header(name string) (row []byte, unread []string, err error) {
	if csv, _ := IsTable(name); !csv || im.config.Whole {
		return nil, nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	t, err := newTable(name, f, &im.config, fieldsOf(im.config.Kind))
	if err != nil {
		return nil, nil, err
	}
	return slices.Clone(t.rawRow(t.header)), t.unread, nil
}
