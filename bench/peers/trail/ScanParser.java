package trail;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;

/** Reads the carrier's pushes with Jackson's streaming parser: no tree, no reflection. One per thread. */
public final class ScanParser {
    private static final JsonFactory JSON = new JsonFactory(); // shared: its table of field names is

    private final List<Scan> scans = new ArrayList<>();

    /** Returns the scans of a record; the list is valid until the next call, the scans for good. */
    public List<Scan> parse(byte[] raw, int partition, long offset, long receivedAt) throws IOException {
        scans.clear();
        String number = "";
        String origin = "";
        String destination = "";
        String product = "";
        try (JsonParser p = JSON.createParser(raw)) {
            if (p.nextToken() != JsonToken.START_OBJECT) {
                throw new IOException("not an object");
            }
            String field;
            while ((field = p.nextFieldName()) != null) {
                p.nextToken();
                switch (field) {
                    case "waybill_number" -> number = p.getText();
                    case "origin_country_code" -> origin = p.getText();
                    case "country_code" -> destination = p.getText();
                    case "product_code" -> product = p.getText();
                    case "track_events" -> events(p);
                    default -> p.skipChildren();
                }
            }
            if (p.currentToken() != JsonToken.END_OBJECT || number.isEmpty() || scans.isEmpty()) {
                throw new IOException("no scans of a parcel");
            }
        }
        for (Scan s : scans) {
            s.number = number;
            s.origin = origin;
            s.destination = destination;
            s.product = product;
            s.partition = partition;
            s.offset = offset;
            s.receivedAt = receivedAt;
        }
        return scans;
    }

    private void events(JsonParser p) throws IOException {
        while (p.nextToken() == JsonToken.START_OBJECT) {
            Scan s = new Scan();
            String time = "";
            String zone = "";
            String field;
            while ((field = p.nextFieldName()) != null) {
                p.nextToken();
                switch (field) {
                    case "process_time" -> time = p.getText();
                    case "time_zone" -> zone = p.getText();
                    case "track_node_code" -> s.code = p.getText();
                    case "process_content" -> s.text = p.getText();
                    case "process_location" -> s.location = p.getText();
                    case "process_country" -> s.country = p.getText();
                    case "process_city" -> s.city = p.getText();
                    default -> p.skipChildren();
                }
            }
            s.milestone = Milestones.of(s.code);
            s.offsetMinutes = minutes(zone);
            s.at = seconds(time) - 60L * s.offsetMinutes;
            scans.add(s);
        }
    }

    /** 2026-10-01T08:12:33, as if in UTC. */
    private static long seconds(String t) throws IOException {
        if (t.length() < 19) {
            throw new IOException("time " + t);
        }
        long day;
        try {
            day = LocalDate.of(digits(t, 0, 4), digits(t, 5, 7), digits(t, 8, 10)).toEpochDay();
        } catch (DateTimeException e) {
            throw new IOException("time " + t, e);
        }
        return ((day * 24 + digits(t, 11, 13)) * 60 + digits(t, 14, 16)) * 60 + digits(t, 17, 19);
    }

    /** UTC+08:00. */
    private static int minutes(String zone) throws IOException {
        if (zone.length() != 9) {
            throw new IOException("time zone " + zone);
        }
        int m = digits(zone, 4, 6) * 60 + digits(zone, 7, 9);
        return zone.charAt(3) == '-' ? -m : m;
    }

    private static int digits(String s, int from, int to) throws IOException {
        int n = 0;
        for (int i = from; i < to; i++) {
            int d = s.charAt(i) - '0';
            if (d < 0 || d > 9) {
                throw new IOException("not a time: " + s);
            }
            n = n * 10 + d;
        }
        return n;
    }
}
