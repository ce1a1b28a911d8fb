import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import trail.Trail;

/** Writes a parcel's state by hand: a tenth of what Kryo makes of it. */
public final class TrailSerializer extends TypeSerializerSingleton<Trail> {
    @Override
    public boolean isImmutableType() {
        return false;
    }

    @Override
    public Trail createInstance() {
        return new Trail();
    }

    @Override
    public Trail copy(Trail from) {
        return from.copy();
    }

    @Override
    public Trail copy(Trail from, Trail reuse) {
        return from.copy();
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public void serialize(Trail t, DataOutputView out) throws IOException {
        t.write(out);
    }

    @Override
    public Trail deserialize(DataInputView in) throws IOException {
        return Trail.read(in);
    }

    @Override
    public Trail deserialize(Trail reuse, DataInputView in) throws IOException {
        return Trail.read(in);
    }

    @Override
    public void copy(DataInputView in, DataOutputView out) throws IOException {
        Trail.read(in).write(out);
    }

    @Override
    public TypeSerializerSnapshot<Trail> snapshotConfiguration() {
        return new Snapshot();
    }

    /** The only version so far. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Trail> {
        public Snapshot() {
            super(TrailSerializer::new);
        }
    }
}
