package trail;

import static java.util.Map.entry;

import java.util.Map;

/** The canonical milestones, by number, and the carrier's codes for them. */
public final class Milestones {
    public static final int UNMAPPED = 0;
    public static final int ACCEPTED = 20;
    public static final int EXPORT_CLEARED = 42;
    public static final int IN_TRANSIT = 57;
    public static final int ARRIVED_DESTINATION = 60;
    public static final int IMPORT_STARTED = 70;
    public static final int IMPORT_REJECTED = 73;
    public static final int OUT_FOR_DELIVERY = 90;
    public static final int AVAILABLE_FOR_PICKUP = 92;
    public static final int DELIVERED = 95;
    public static final int LOST = 105;
    public static final int DESTROYED = 106;
    public static final int CANCELLED = 107;
    public static final int RETURN_STARTED = 120;
    public static final int RETURNED = 129;
    public static final int TRACKING_ENDED = 141;

    private static final Map<String, Integer> CODES = Map.ofEntries(
            entry("ORDER_CREATION", 10), entry("PRE_ADVICING", 10), entry("PRE_INFO", 10),
            entry("PICKED_UP", ACCEPTED),
            entry("FIRST_MILE_ARRIVE", 30), entry("ARRIVE_CONFIRM_OC", 30),
            entry("FIRST_MILE_DEPART", 31), entry("DEPART_CONFIRM_OC", 31),
            entry("ARRIVE_ORIN_CUSTOMS", 40), entry("EXPORT_CUSTOMS_COMPLETE", EXPORT_CLEARED),
            entry("MAIN_LINE_DEPART", 51),
            entry("IN_TRANSIT", IN_TRANSIT), entry("IN_TRANSIT_CARRIER", IN_TRANSIT),
            entry("READY_FOR_OUTBOUND", IN_TRANSIT),
            entry("MAIN_LINE_ARRIVE", ARRIVED_DESTINATION), entry("PICKUP_CARGO_TERMINAL", ARRIVED_DESTINATION),
            entry("CUSTOMS_PROCESSING", IMPORT_STARTED),
            entry("CUSTOMS_DELAY", 71), entry("CUSTOMS_HOLD", 71), entry("CUSTOMS_INSPECTION", 71),
            entry("CUSTOMS_EXCEPTION", 71),
            entry("CUSTOMS_COMPLETE", 72), entry("CUSTOMS_RELEASE", 72),
            entry("TRANSITHUB_ARRIVE", 80), entry("CARRIER_PICKUP", 80),
            entry("OUT_FOR_DELIVERY", OUT_FOR_DELIVERY), entry("DELIVERY_FAILURE", 91),
            entry("READY_FOR_PICKUP", AVAILABLE_FOR_PICKUP), entry("DELIVERED", DELIVERED),
            entry("PACKAGE_EXCEPTION", 101), entry("PACKAGE_LOST", LOST),
            entry("RETURNED_BACK", RETURN_STARTED), entry("RETURNED", RETURNED), entry("RETURNED_TO_SENDER", RETURNED),
            entry("EDD", 142));

    private Milestones() {}

    public static int of(String code) {
        return CODES.getOrDefault(code, UNMAPPED);
    }

    /** Whether it counts as a tracking update: no announcement, message or unknown code. */
    public static boolean progress(int m) {
        return m >= 12 && m < 140;
    }

    /** Whether the parcel was handled then. */
    public static boolean physical(int m) {
        return progress(m) && (m < 40 || m > 43) && (m < 70 || m > 73) && (m < 100 || m == 103 || m == 104 || m == DESTROYED || m >= RETURN_STARTED);
    }

    /** Whether it is a station on the way to the recipient. */
    public static boolean forward(int m) {
        return m >= ACCEPTED && m <= DELIVERED;
    }

    public static boolean ends(int m) {
        return m == DELIVERED || m == DESTROYED || m == CANCELLED || m == RETURNED;
    }
}
