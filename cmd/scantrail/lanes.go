package main

import (
	"context"

	"scantrail/sink/lanes"
)

// runLanes looks for disrupted lanes, beside the role sink: they are found in
// ClickHouse. Every process with that role may, since all find the same.
func (p *pipeline) runLanes(ctx context.Context) error {
	w, err := lanes.New(lanes.Config{
		Kafka: p.o.Kafka, ClickHouse: p.rows, Generation: p.o.Generation,
		Log: p.o.Log.With("role", "lanes"), Metrics: p.lanes,
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}
