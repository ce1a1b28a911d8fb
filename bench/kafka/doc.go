// Package kafka runs Apache Kafka in KRaft mode on loopback: real brokers, each
// a Java process of its own, from the jars of Maven Central. Tests and
// benchmarks use it where the embedded broker would prove too little.
//
// It needs java (17 or later) and mvn. The jars, 44 MiB, are fetched once into
// the user's cache directory.
package kafka
