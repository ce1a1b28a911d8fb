// Command peers has the same job done by Scantrail and by its peers, one after
// the other, on one Apache Kafka broker and one ClickHouse engine:
//
//	go run ./bench/peers -scans 1000000
//
// A simulated world (package world) writes one carrier's JSON into a raw topic,
// once; every peer reads these bytes, and has rows of scans and alerts in
// ClickHouse when it is done. The alerts of all are held against the world's
// truth. README.md says what each peer does and does not do.
package main
