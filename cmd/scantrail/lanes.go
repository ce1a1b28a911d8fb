package main

import (
	"context"

	"scantrail/sink/lanes"
	"scantrail/sink/shops"
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

// runShops publishes the scores of shops and the alerts that follow from them, in
// the same way.
func (p *pipeline) runShops(ctx context.Context) error {
	w, err := shops.New(shops.Config{
		Kafka: p.o.Kafka, ClickHouse: p.rows, Generation: p.o.Generation,
		Log: p.o.Log.With("role", "shops"), Metrics: p.shops,
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}
