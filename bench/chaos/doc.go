// Command chaos kills, stops and cuts off the processes of a whole Scantrail
// under load, and proves afterwards that nothing was lost and nothing doubled:
//
//	go run ./bench/chaos -kills 500
//
// It runs real processes on loopback: Apache Kafka, the ClickHouse engine
// (scantrail clickhouse), and several scantrail run with a name of their own
// each. A simulated world (package world), which knows the truth, writes to them
// for as long as the faults last, and parcels that fall silent on time tell how
// late alerts are; a webhook takes what the services send of them. With -away and
// -disk-full ClickHouse takes no rows for long, and what the services do meanwhile
// is checked (outage). Then everything comes back, what waits is waited for, and
// four judges look at it:
//
//   - the world: every scan once, every order fact once, and the alerts for gaps
//     and missing milestones, all of them and no others;
//   - the webhook: everything that a receiver is promised, as it was written, signed,
//     and of each alert in its order; whatever comes twice has the same key;
//   - scantrail audit with --replay all: P1 to P5;
//   - the processes themselves: none ended on its own, and SIGTERM ended each in
//     order.
//
// bench/README.md has the commands, and what they gave.
//
// Which fault comes next follows from -seed; when it comes follows from the
// machine.
package main
