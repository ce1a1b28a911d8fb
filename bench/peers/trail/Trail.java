package trail;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** What is kept of one parcel: its facts, so that the order of arrival does not matter, and what was said about it. */
public final class Trail {
    long[] facts = new long[16]; // see Scan.fact; sorted, each once
    int size;
    boolean crossBorder;
    public long armed; // the deadline that a timer is set for, Unix seconds; 0: none
    final List<Alert> alerts = new ArrayList<>(2); // published and not withdrawn

    /** Adds a fact; false if it was known. */
    public boolean add(long fact, boolean crossBorder) {
        int i = Arrays.binarySearch(facts, 0, size, fact);
        if (i >= 0) {
            return false;
        }
        i = -i - 1;
        if (size == facts.length) {
            facts = Arrays.copyOf(facts, 2 * size);
        }
        System.arraycopy(facts, i, facts, i + 1, size - i);
        facts[i] = fact;
        size++;
        this.crossBorder |= crossBorder;
        return true;
    }

    public Trail copy() {
        Trail t = new Trail();
        t.facts = facts.clone();
        t.size = size;
        t.crossBorder = crossBorder;
        t.armed = armed;
        t.alerts.addAll(alerts);
        return t;
    }

    public void write(DataOutput out) throws IOException {
        out.writeByte(crossBorder ? 1 : 0);
        out.writeLong(armed);
        out.writeShort(size);
        for (int i = 0; i < size; i++) {
            out.writeInt((int) (facts[i] >>> 8));
            out.writeByte((int) facts[i]);
        }
        out.writeByte(alerts.size());
        for (Alert a : alerts) {
            out.writeByte(a.kind);
            out.writeByte(a.level);
            out.writeInt((int) a.anchor);
            out.writeInt((int) a.end);
        }
    }

    public static Trail read(DataInput in) throws IOException {
        Trail t = new Trail();
        t.crossBorder = in.readByte() != 0;
        t.armed = in.readLong();
        t.size = in.readUnsignedShort();
        if (t.size > t.facts.length) {
            t.facts = new long[t.size + 4];
        }
        for (int i = 0; i < t.size; i++) {
            long at = in.readInt() & 0xffffffffL;
            t.facts[i] = at << 8 | in.readUnsignedByte();
        }
        for (int n = in.readUnsignedByte(); n > 0; n--) {
            t.alerts.add(new Alert(in.readByte(), in.readByte(), in.readInt() & 0xffffffffL, in.readInt() & 0xffffffffL));
        }
        return t;
    }
}
