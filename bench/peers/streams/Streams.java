import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;
import trail.Judge;
import trail.Scan;
import trail.ScanParser;
import trail.Trail;

/**
 * Raw JSON to normalised scans and alerts with Kafka Streams.
 *
 * <p>Arguments: brokers, raw topic, scans topic, alerts topic, state (rocksdb or memory), repartition (true or false),
 * partitions (of every topic), directory. Prints "consumed N" five times a second.
 */
public final class Streams {
    private static final String STORE = "parcels";
    private static final LongAdder consumed = new LongAdder();

    private Streams() {}

    public static void main(String[] args) throws InterruptedException {
        KafkaStreams streams = new KafkaStreams(
                topology(args[1], args[2], args[3], args[4], Boolean.parseBoolean(args[5]), Integer.parseInt(args[6])),
                properties(args[0], args[7]));
        CountDownLatch over = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            over.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
        while (!over.await(200, TimeUnit.MILLISECONDS)) {
            System.out.println("consumed " + consumed.sum());
        }
        System.exit(1);
    }

    private static Properties properties(String brokers, String dir) {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, Path.of(dir).getFileName().toString());
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        p.put(StreamsConfig.STATE_DIR_CONFIG, dir);
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000); // the default of exactly-once is 100 ms: ten times the transactions
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 128L << 20); // one write per parcel and commit reaches store and changelog
        p.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, Memory.class);
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 2_000);
        p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 5_000); // fewer pauses of partitions
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MIN_BYTES_CONFIG), 64 << 10);
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG), 50);
        p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 50);
        p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
        p.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 64L << 20);
        p.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        return p;
    }

    private static Topology topology(String raw, String scans, String alerts, String state, boolean repartition, int partitions) {
        StreamsBuilder builder = new StreamsBuilder();
        Serde<byte[]> bytes = Serdes.ByteArray();
        KStream<byte[], Scan> parsed = builder.stream(raw, Consumed.with(bytes, bytes)).process(Parse::new);
        parsed.mapValues(Scan::row).to(scans, Produced.with(bytes, bytes));
        StoreBuilder<KeyValueStore<String, byte[]>> store = Stores.keyValueStoreBuilder(
                state.equals("memory") ? Stores.inMemoryKeyValueStore(STORE) : Stores.persistentKeyValueStore(STORE),
                Serdes.String(), bytes)
                .withCachingEnabled()
                // State changes often: keep the changelog short, so that a restore is.
                .withLoggingEnabled(Map.of(TopicConfig.SEGMENT_BYTES_CONFIG, String.valueOf(64 << 20)));
        builder.addStateStore(store);
        KStream<String, byte[]> facts = parsed.process(ByParcel::new);
        if (repartition) { // the carriers' keys are theirs
            facts = facts.repartition(Repartitioned.<String, byte[]>as("facts")
                    .withKeySerde(Serdes.String()).withValueSerde(bytes).withNumberOfPartitions(partitions));
        }
        int sources = repartition ? partitions : 1; // of one task
        facts.process(() -> new Detect(sources), STORE).to(alerts, Produced.with(Serdes.String(), bytes));
        Properties p = new Properties();
        p.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        return builder.build(p);
    }

    /** Raw records to scans. */
    private static final class Parse extends ContextualProcessor<byte[], byte[], byte[], Scan> {
        private final ScanParser parser = new ScanParser();

        @Override
        public void process(Record<byte[], byte[]> r) {
            consumed.increment();
            var source = context().recordMetadata().orElseThrow();
            List<Scan> scans;
            try {
                scans = parser.parse(r.value(), source.partition(), source.offset(), context().currentSystemTimeMs());
            } catch (IOException e) {
                System.err.println("dead letter: " + e.getMessage());
                return;
            }
            for (Scan s : scans) {
                context().forward(r.withValue(s));
            }
        }
    }

    /** Scans to what detection needs of them: key the number; value the fact, the lane and the raw partition. */
    private static final class ByParcel extends ContextualProcessor<byte[], Scan, String, byte[]> {
        @Override
        public void process(Record<byte[], Scan> r) {
            Scan s = r.value();
            byte[] value = ByteBuffer.allocate(11).putLong(s.fact()).put((byte) (s.crossBorder() ? 1 : 0)).putShort((short) s.partition).array();
            context().forward(r.withKey(s.number).withValue(value));
        }
    }

    /** A timer of a parcel; Unix seconds. */
    private record Deadline(long at, String number) implements Comparable<Deadline> {
        @Override
        public int compareTo(Deadline d) {
            return Long.compare(at, d.at);
        }
    }

    /**
     * Facts to alerts. Kafka Streams has no timers per key: a queue of deadlines, one per parcel and lazily set again,
     * stands beside the store, from which it is made anew after a restart.
     *
     * <p>Nor has it watermarks: behind a repartition topic stream time is that of the raw partition that was read
     * furthest, by which most parcels of the others look silent. So each fact names its raw partition, and the clock is
     * the least of their times.
     */
    private static final class Detect extends ContextualProcessor<String, byte[], String, byte[]> {
        private final int sources; // raw partitions
        private final Judge judge = new Judge();
        private final PriorityQueue<Deadline> deadlines = new PriorityQueue<>();
        private final ByteArrayOutputStream buffer = new ByteArrayOutputStream(256);
        private final DataOutputStream encoder = new DataOutputStream(buffer);
        private final Map<Short, Long> times = new HashMap<>(); // of raw partitions, Unix seconds
        private KeyValueStore<String, byte[]> store;
        private long clock; // Unix seconds; 0 until every raw partition is heard of

        Detect(int sources) {
            this.sources = sources;
        }

        @Override
        public void init(ProcessorContext<String, byte[]> context) {
            super.init(context);
            store = context.getStateStore(STORE);
            try (KeyValueIterator<String, byte[]> all = store.all()) {
                all.forEachRemaining(kv -> {
                    long armed = decode(kv.value).armed;
                    if (armed != 0) {
                        deadlines.add(new Deadline(armed, kv.key));
                    }
                });
            }
        }

        @Override
        public void process(Record<String, byte[]> r) {
            byte[] before = store.get(r.key());
            Trail t = before == null ? new Trail() : decode(before);
            ByteBuffer fact = ByteBuffer.wrap(r.value());
            if (t.add(fact.getLong(), fact.get() != 0)) {
                look(r.key(), t);
            }
            advance(fact.getShort(), r.timestamp() / 1000);
        }

        private void advance(short source, long time) {
            Long before = times.get(source);
            if (before != null && before >= time) {
                return;
            }
            times.put(source, time);
            if (times.size() == sources && (before == null || before <= clock)) {
                clock = Collections.min(times.values());
                fire();
            }
        }

        private void fire() {
            while (!deadlines.isEmpty() && deadlines.peek().at() <= clock) {
                Deadline d = deadlines.poll();
                byte[] state = store.get(d.number());
                if (state == null) {
                    continue;
                }
                Trail t = decode(state);
                if (t.armed == d.at()) {
                    t.armed = 0;
                    look(d.number(), t);
                }
            }
        }

        private void look(String number, Trail t) {
            long next = judge.judge(number, t, clock, this::alert);
            if (next == Judge.EVICT) {
                store.delete(number);
                return;
            }
            if (next != 0 && (t.armed == 0 || next < t.armed)) {
                t.armed = next;
                deadlines.add(new Deadline(next, number));
            }
            store.put(number, encode(t));
        }

        private void alert(String number, byte[] json) {
            context().forward(new Record<>(number, json, clock * 1000));
        }

        private byte[] encode(Trail t) {
            buffer.reset();
            try {
                t.write(encoder);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return buffer.toByteArray();
        }

        private static Trail decode(byte[] state) {
            try {
                return Trail.read(new DataInputStream(new ByteArrayInputStream(state)));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Bounds the memory of RocksDB: one cache for all stores, write buffers in it, bloom filters for new parcels. */
    public static final class Memory implements RocksDBConfigSetter {
        private static final Cache CACHE = new LRUCache(192L << 20, -1, false, 0.1);
        private static final WriteBufferManager BUFFERS = new WriteBufferManager(96L << 20, CACHE);
        private final BloomFilter filter = new BloomFilter(10);

        @Override
        public void setConfig(String store, Options options, Map<String, Object> configs) {
            BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
            table.setBlockCache(CACHE);
            table.setCacheIndexAndFilterBlocks(true);
            table.setCacheIndexAndFilterBlocksWithHighPriority(true);
            table.setPinTopLevelIndexAndFilter(true);
            table.setFilterPolicy(filter);
            options.setWriteBufferManager(BUFFERS);
            options.setTableFormatConfig(table);
        }

        @Override
        public void close(String store, Options options) {
            filter.close();
        }
    }
}
