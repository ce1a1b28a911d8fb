package trail;

import java.nio.charset.StandardCharsets;

/** An alert about one parcel: a gap, or a milestone that is missing. Immutable. */
public final class Alert {
    static final int GAP = 0; // kinds; above it the place among Judge's requirements + 1

    final int kind;
    final int level; // 2: a gap of 72 h
    final long anchor; // Unix seconds
    final long end; // 0 while open

    Alert(int kind, int level, long anchor, long end) {
        this.kind = kind;
        this.level = level;
        this.anchor = anchor;
        this.end = end;
    }

    boolean same(Alert a) {
        return kind == a.kind && anchor == a.anchor;
    }

    boolean equal(Alert a) {
        return same(a) && level == a.level && end == a.end;
    }

    String status() {
        return end != 0 ? "resolved" : level == 2 ? "escalated" : "open";
    }

    /** The transition as a record of the topic of alerts. */
    byte[] json(String number, String status, long clock) {
        String rule = kind != GAP ? "milestone_missing" : level == 2 ? "gap_72h" : "gap_48h";
        String milestone = kind == GAP ? "" : Judge.REQUIRED[kind - 1].name();
        return ("{\"tracking_number\":\"" + number + "\",\"kind\":\"" + (kind == GAP ? "gap" : milestone) + "\",\"rule\":\"" + rule
                + "\",\"milestone\":\"" + milestone + "\",\"status\":\"" + status + "\",\"anchor_at\":" + anchor
                + ",\"ended_at\":" + end + ",\"changed_at\":" + clock + "}").getBytes(StandardCharsets.UTF_8);
    }
}
