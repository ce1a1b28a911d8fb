import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.LongAdder;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import trail.Judge;
import trail.Scan;
import trail.ScanParser;
import trail.Trail;

/**
 * Raw JSON to normalised scans and alerts with Apache Flink.
 *
 * <p>Arguments: brokers, raw topic, scans topic, alerts topic, state (rocksdb or heap), until (Unix seconds), directory.
 * Prints "consumed N" five times a second, and ends once everything that the topic held at the start is read.
 */
public final class Flink {
    private static final LongAdder consumed = new LongAdder();

    private Flink() {}

    public static void main(String[] args) throws Exception {
        Thread progress = new Thread(() -> {
            while (true) {
                System.out.println("consumed " + consumed.sum());
                try {
                    Thread.sleep(200);
                } catch (InterruptedException e) {
                    return;
                }
            }
        });
        progress.setDaemon(true);
        progress.start();
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(2, configuration(args[4], args[6]));
        job(env, args[0], args[1], args[2], args[3], Long.parseLong(args[5]));
        env.execute("scans");
        System.out.println("consumed " + consumed.sum());
        System.exit(0);
    }

    private static Configuration configuration(String state, String dir) {
        Configuration c = new Configuration();
        c.set(StateBackendOptions.STATE_BACKEND, state.equals("heap") ? "hashmap" : "rocksdb");
        c.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + dir);
        c.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofSeconds(5));
        c.set(CheckpointingOptions.CHECKPOINTING_CONSISTENCY_MODE, CheckpointingMode.EXACTLY_ONCE);
        c.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, true);
        c.set(PipelineOptions.OBJECT_REUSE, true);
        c.set(PipelineOptions.GENERIC_TYPES, false); // nothing may fall back to Kryo
        c.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(state.equals("heap") ? 16 : 384));
        c.set(TaskManagerOptions.NETWORK_MEMORY_MIN, MemorySize.ofMebiBytes(64));
        c.set(TaskManagerOptions.NETWORK_MEMORY_MAX, MemorySize.ofMebiBytes(64));
        return c;
    }

    private static void job(StreamExecutionEnvironment env, String brokers, String raw, String scansTopic, String alertsTopic, long until) {
        KafkaSource<Scan> source = KafkaSource.<Scan>builder()
                .setBootstrapServers(brokers).setTopics(raw).setGroupId("peer-flink")
                .setStartingOffsets(OffsetsInitializer.earliest()).setBounded(OffsetsInitializer.latest())
                .setDeserializer(new Parse())
                .setProperty("max.poll.records", "10000").setProperty("fetch.min.bytes", "65536").setProperty("fetch.max.wait.ms", "50")
                .build();
        // Records of a partition come in the order of their time.
        DataStream<Scan> scans = env.fromSource(source, WatermarkStrategy.forMonotonousTimestamps(), "raw");
        scans.map(Scan::row).returns(PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO).sinkTo(sink(brokers, "scans",
                (KafkaRecordSerializationSchema<byte[]>) (row, context, at) -> new ProducerRecord<>(scansTopic, row)));
        scans.map(s -> Tuple3.of(s.number, s.fact(), s.crossBorder())).returns(Types.TUPLE(Types.STRING, Types.LONG, Types.BOOLEAN))
                .keyBy(f -> f.f0, Types.STRING)
                .process(new Detect(until)).returns(Types.TUPLE(Types.STRING, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO))
                .sinkTo(sink(brokers, "alerts", (KafkaRecordSerializationSchema<Tuple2<String, byte[]>>) (alert, context, at) ->
                        new ProducerRecord<>(alertsTopic, alert.f0.getBytes(StandardCharsets.UTF_8), alert.f1)));
    }

    private static <T> KafkaSink<T> sink(String brokers, String name, KafkaRecordSerializationSchema<T> records) {
        Properties p = new Properties();
        p.put("linger.ms", "50");
        p.put("batch.size", String.valueOf(256 << 10));
        p.put("buffer.memory", String.valueOf(64 << 20));
        p.put("compression.type", "lz4");
        p.put("transaction.timeout.ms", "600000"); // below the broker's 15 minutes, above any checkpoint
        return KafkaSink.<T>builder().setBootstrapServers(brokers).setRecordSerializer(records)
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE).setTransactionalIdPrefix("peer-flink-" + name)
                .setKafkaProducerConfig(p).build();
    }

    /** Raw records to scans. */
    private static final class Parse implements KafkaRecordDeserializationSchema<Scan> {
        private transient ScanParser parser;

        @Override
        public void open(org.apache.flink.api.common.serialization.DeserializationSchema.InitializationContext context) {
            parser = new ScanParser();
        }

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> r, Collector<Scan> out) {
            consumed.increment();
            List<Scan> scans;
            try {
                scans = parser.parse(r.value(), r.partition(), r.offset(), System.currentTimeMillis());
            } catch (IOException e) {
                System.err.println("dead letter: " + e.getMessage());
                return;
            }
            for (Scan s : scans) {
                out.collect(s);
            }
        }

        @Override
        public TypeInformation<Scan> getProducedType() {
            return Types.POJO(Scan.class);
        }
    }

    /** Facts (number, fact, whether it crosses a border) to alerts (number, record): one timer per parcel, lazily set again. */
    private static final class Detect extends KeyedProcessFunction<String, Tuple3<String, Long, Boolean>, Tuple2<String, byte[]>> {
        private final long until; // the end of the replay: a deadline after it is not due, though the last watermark is infinite
        private transient Judge judge;
        private transient ValueState<Trail> state;

        Detect(long until) {
            this.until = until;
        }

        @Override
        public void open(OpenContext context) {
            judge = new Judge();
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("trail", new TrailSerializer()));
        }

        @Override
        public void processElement(Tuple3<String, Long, Boolean> f, Context context, Collector<Tuple2<String, byte[]>> out)
                throws IOException {
            Trail t = state.value();
            if (t == null) {
                t = new Trail();
            }
            if (t.add(f.f1, f.f2)) {
                look(t, context.timerService().currentWatermark() / 1000, context, out);
            }
        }

        @Override
        public void onTimer(long at, OnTimerContext context, Collector<Tuple2<String, byte[]>> out) throws IOException {
            Trail t = state.value();
            if (at > until * 1000 || t == null || t.armed * 1000 != at) {
                return;
            }
            t.armed = 0;
            look(t, at / 1000, context, out);
        }

        private void look(Trail t, long clock, Context context, Collector<Tuple2<String, byte[]>> out) throws IOException {
            long next = judge.judge(context.getCurrentKey(), t, Math.max(clock, 0),
                    (number, json) -> out.collect(Tuple2.of(number, json)));
            if (next == Judge.EVICT) {
                state.clear();
                return;
            }
            if (next != 0 && (t.armed == 0 || next < t.armed)) {
                t.armed = next;
                context.timerService().registerEventTimeTimer(next * 1000);
            }
            state.update(t);
        }
    }
}
