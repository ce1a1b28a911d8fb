// Package stopwatch measures the parts of Scantrail one by one: decoding, the
// log's encoding, the detector's state, snapshots and recovery, and the two
// ceilings of the pipeline, reading from Kafka and inserting into ClickHouse.
// Command scantrail bench runs them, and the whole pipeline beside them.
//
// Figures named cpu count what the process used (getrusage), garbage collection
// included: on a machine that others use too, they say more than the time that
// passed.
package stopwatch
