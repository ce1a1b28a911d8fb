package trail;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** One scan, normalised. */
public final class Scan {
    public String number = "";
    public String code = "";
    public String text = "";
    public String country = "";
    public String city = "";
    public String location = "";
    public String origin = "";
    public String destination = "";
    public String product = "";
    public long at; // Unix seconds
    public int offsetMinutes; // of the stated local time from UTC
    public int milestone;
    public int partition;
    public long offset;
    public long receivedAt; // Unix milliseconds

    public boolean crossBorder() {
        return !origin.equals(destination);
    }

    /** Time and milestone in one number: the order of facts is the order of these numbers. */
    public long fact() {
        return at << 8 | milestone;
    }

    /** The row of the table scans as ClickHouse's RowBinary. */
    public byte[] row() {
        Row out = new Row();
        out.text(number).text("yunexpress").integer(milestone, 1);
        out.integer(Milestones.physical(milestone) ? 1 : 0, 1).integer(Milestones.progress(milestone) ? 1 : 0, 1);
        out.integer(at, 4).integer(offsetMinutes, 2);
        out.text(code).text(text).text(country).text(city).text(location);
        out.text(origin).text(destination).text(product);
        out.integer(partition, 4).integer(offset, 8).integer(receivedAt, 8);
        return out.toByteArray();
    }

    /** A buffer without the locks of its superclass's callers; little endian as RowBinary is. */
    private static final class Row extends ByteArrayOutputStream {
        Row() {
            super(192);
        }

        Row text(String s) {
            byte[] bytes = s.getBytes(StandardCharsets.UTF_8);
            int n = bytes.length;
            for (; n >= 0x80; n >>>= 7) {
                write(n | 0x80);
            }
            write(n);
            write(bytes, 0, bytes.length);
            return this;
        }

        Row integer(long v, int bytes) {
            for (int i = 0; i < bytes; i++, v >>= 8) {
                write((int) v);
            }
            return this;
        }
    }
}
