package trail;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** The rules: silences of 48 and 72 h, and milestones that are missing. Keeps its buffers; one per thread. */
public final class Judge {
    /** Takes a transition of an alert. */
    public interface Output {
        void alert(String number, byte[] json);
    }

    /** What judge returns for a trail that nothing is expected of any more. */
    public static final long EVICT = -1;

    private static final long HOUR = 3600;
    private static final long DAY = 24 * HOUR;
    private static final long KEPT = 30 * DAY; // after the end

    /** A milestone that a trail must have; from, to: the milestones that satisfy it. */
    record Requirement(String name, int from, int to, int excusedBy, int sinceFrom, int sinceTo, long after, boolean crossBorderOnly) {}

    static final Requirement[] REQUIRED = {
        new Requirement("export_cleared", Milestones.EXPORT_CLEARED, Milestones.EXPORT_CLEARED, 0,
                Milestones.ACCEPTED, Milestones.ACCEPTED, 7 * DAY, true),
        new Requirement("arrived_destination", Milestones.ARRIVED_DESTINATION, Milestones.IMPORT_REJECTED, 0,
                Milestones.ACCEPTED, Milestones.ACCEPTED, 15 * DAY, true),
        new Requirement("out_for_delivery", Milestones.OUT_FOR_DELIVERY, Milestones.OUT_FOR_DELIVERY, Milestones.AVAILABLE_FOR_PICKUP,
                Milestones.ARRIVED_DESTINATION, Milestones.IMPORT_REJECTED, 7 * DAY, false),
    };

    private long[] facts = new long[64]; // those that count
    private boolean[] opens = new boolean[64]; // a return opens a new stretch
    private int size;
    private boolean ended;
    private long endedAt;
    private long next; // the earliest deadline after the clock; 0: none
    private final List<Alert> found = new ArrayList<>();

    /**
     * Publishes what has changed of a parcel by the clock, and returns when to look again: Unix seconds, 0 for never
     * without a scan, or EVICT.
     */
    public long judge(String number, Trail t, long clock, Output out) {
        walk(t);
        found.clear();
        next = 0;
        gaps(clock);
        for (int i = 0; i < REQUIRED.length; i++) {
            if (t.crossBorder || !REQUIRED[i].crossBorderOnly()) {
                missing(i, clock);
            }
        }
        publish(number, t, clock, out);
        if (!ended) {
            return next;
        }
        return clock >= endedAt + KEPT ? EVICT : endedAt + KEPT;
    }

    private void publish(String number, Trail t, long clock, Output out) {
        for (Iterator<Alert> it = t.alerts.iterator(); it.hasNext(); ) {
            Alert a = it.next();
            if (of(found, a) == null) {
                it.remove();
                out.alert(number, a.json(number, "withdrawn", clock));
            }
        }
        for (Alert a : found) {
            Alert before = of(t.alerts, a);
            if (before != null && before.equal(a)) {
                continue;
            }
            t.alerts.remove(before);
            t.alerts.add(a);
            out.alert(number, a.json(number, a.status(), clock));
        }
    }

    private static Alert of(List<Alert> all, Alert a) {
        for (int i = 0; i < all.size(); i++) {
            if (all.get(i).same(a)) {
                return all.get(i);
            }
        }
        return null;
    }

    private static int milestone(long fact) {
        return (int) (fact & 0xff);
    }

    private static long at(long fact) {
        return fact >>> 8;
    }

    /** Applies the rule of ends: nothing counts after the first one but a return that starts. */
    private void walk(Trail t) {
        if (t.size > facts.length) {
            facts = new long[2 * t.size];
            opens = new boolean[2 * t.size];
        }
        size = 0;
        ended = false;
        endedAt = 0;
        for (int i = 0; i < t.size; i++) {
            int m = milestone(t.facts[i]);
            boolean open = false;
            if (ended) {
                if (m != Milestones.RETURN_STARTED) {
                    continue;
                }
                ended = false;
                open = true;
            }
            facts[size] = t.facts[i];
            opens[size++] = open;
            if (Milestones.ends(m)) {
                ended = true;
                endedAt = at(t.facts[i]);
            }
        }
        // Given up or lost: the end too, unless the parcel turns up again.
        for (int i = size - 1; i >= 0 && !ended; i--) {
            int m = milestone(facts[i]);
            if (m == Milestones.LOST || m == Milestones.TRACKING_ENDED) {
                ended = true;
                endedAt = at(facts[i]);
                size = i + 1;
            } else if (Milestones.progress(m)) {
                break;
            }
        }
    }

    private void gaps(long clock) {
        long last = 0;
        for (int i = 0; i < size; i++) {
            if (opens[i]) {
                last = 0;
            }
            boolean end = ended && i == size - 1;
            if (!Milestones.progress(milestone(facts[i])) && !end) {
                continue;
            }
            if (last != 0) {
                gap(last, at(facts[i]), at(facts[i]));
            }
            last = at(facts[i]);
        }
        if (ended || last == 0) {
            return;
        }
        gap(last, clock, 0);
        expect(last + 48 * HOUR, clock);
        expect(last + 72 * HOUR, clock);
    }

    private void gap(long from, long to, long end) {
        if (to - from >= 48 * HOUR) {
            found.add(new Alert(Alert.GAP, to - from >= 72 * HOUR ? 2 : 1, from, end));
        }
    }

    private void expect(long deadline, long clock) {
        if (deadline > clock && (next == 0 || deadline < next)) {
            next = deadline;
        }
    }

    private void missing(int place, long clock) {
        Requirement r = REQUIRED[place];
        long anchor = first(Milestones.ACCEPTED, Milestones.ACCEPTED);
        for (int i = 0; anchor == 0 && i < size; i++) {
            if (Milestones.progress(milestone(facts[i]))) {
                anchor = at(facts[i]);
            }
        }
        long observed = first(r.from(), r.to());
        long since = first(r.sinceFrom(), r.sinceTo());
        long deadline = since == 0 ? 0 : since + r.after();
        if (observed != 0) {
            if (deadline != 0 && observed > deadline) {
                found.add(new Alert(place + 1, 1, anchor, observed));
            }
            return;
        }
        if (r.excusedBy() != 0 && first(r.excusedBy(), r.excusedBy()) != 0) {
            return;
        }
        boolean missing = deadline != 0 && (ended ? endedAt : clock) > deadline;
        for (int i = 0; !missing && i < size; i++) {
            int m = milestone(facts[i]);
            missing = Milestones.forward(m) && m > r.to() && m != Milestones.IN_TRANSIT;
        }
        if (missing) {
            found.add(new Alert(place + 1, 1, anchor, 0));
        } else if (deadline != 0 && !ended) {
            expect(deadline + 1, clock);
        }
    }

    /** The earliest time of any of the milestones from..to, 0 without one. */
    private long first(int from, int to) {
        for (int i = 0; i < size; i++) {
            int m = milestone(facts[i]);
            if (m >= from && m <= to) {
                return at(facts[i]);
            }
        }
        return 0;
    }
}
