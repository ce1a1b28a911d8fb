-- Input: raw facts, policy figures, clocks. Times of facts in Unix milliseconds,
-- all else in seconds.
CREATE TABLE in_scans (seed UInt32, num String, fact String, ver UInt32, occ Int64, rec Int64,
    m UInt8, p UInt8, ph UInt8, ctry String, post String, orig String, dest String, chk UInt8, bf UInt8, ref UInt8) ENGINE = Memory;
CREATE TABLE in_voids (seed UInt32, fact String) ENGINE = Memory;
-- root: the smallest number (by id) of those linked with num; part: partition of the root; quarantined: too many links or scans
CREATE TABLE in_numbers (seed UInt32, num String, root String, part UInt8, linked UInt8, quarantined UInt8) ENGINE = Memory;
CREATE TABLE in_orders (seed UInt32, shop String, ord String, fact String, kind UInt8, at Int64, until Int64, promise Int64,
    nums Array(String), carrier String, src String, orig String, dest String, post String, market String) ENGINE = Memory;
CREATE TABLE in_order_parts (seed UInt32, shop String, ord String, part UInt8) ENGINE = Memory;
-- s: the clock of what waits for copies from other partitions
CREATE TABLE in_clocks (seed UInt32, part UInt8, c Int64, s Int64) ENGINE = Memory;
CREATE TABLE in_seeds (seed UInt32, doc UInt16) ENGINE = Memory;
CREATE TABLE docs (doc UInt16, pols Array(UInt16), markets Array(Array(String)), shops Array(Array(String)),
    lanes Array(Array(String)), carriers Array(Array(String)),
    h_shops Array(Array(String)), h_markets Array(Array(String)), h_from Array(Int64), h_until Array(Int64)) ENGINE = Memory;
CREATE TABLE policies (pol UInt16, physical UInt8, gap_risk Int64, gap_open Int64, gap_esc Int64,
    go_stages Array(Array(UInt8)), go_lanes Array(Array(String)), go_risk Array(Int64), go_open Array(Int64), go_esc Array(Int64),
    stay Int64, so_stages Array(Array(UInt8)), so_lanes Array(Array(String)), so_after Array(Int64),
    undeliverable Array(UInt8), exception Array(UInt8), upload Int64, warehouse UInt8, seller_label UInt8, channels Array(String),
    numbers UInt8, reused Int64, before Int64, grace Int64, reverse UInt8,
    -- rule -> (hours as seconds, working days, since kind), zero: off
    limits Map(String, Tuple(Int64, Int64, UInt8)),
    pr_markets Array(Array(String)), pr_secs Array(Int64), pr_days Array(Int64),
    cal_start Array(Int64), cal_end Array(Int64)) ENGINE = Memory; -- working days of the calendar
CREATE TABLE required (pol UInt16, name String, cross_border UInt8, sat Array(UInt8), exc Array(UInt8), since Array(UInt8), after Int64) ENGINE = Memory;

-- Intermediate.
CREATE TABLE facts (seed UInt32, root String, num String, fact String, e Int64, m UInt8, p UInt8, ph UInt8, ctry String, post String,
    orig String, dest String, chk UInt8, bf UInt8, rec Int64, ref UInt8) ENGINE = Memory;
CREATE TABLE lived (seed UInt32, root String, life UInt16, idx UInt32, num String, e Int64, m UInt8, p UInt8, ph UInt8, ctry String, post String,
    orig String, dest String, chk UInt8, bf UInt8, rec Int64, ref UInt8) ENGINE = Memory;
CREATE TABLE trail (seed UInt32, root String, life UInt16, idx UInt32, num String, e Int64, m UInt8, p UInt8, ph UInt8, ctry String, post String,
    bf UInt8, rec Int64, ref UInt8, seg UInt16, fin UInt8) ENGINE = Memory;
CREATE TABLE orders (seed UInt32, shop String, ord String, t_o Int64, label UInt8, nums Array(String), market String,
    created Int64, confirmed Int64, ready Int64, shipped Int64, delivered Int64, cancelled Int64, label_at Int64,
    src String, src_at Int64, carrier String, carrier_at Int64, orig String, dest String, post String, promise Int64,
    requests Array(Int64), answers Array(Int64), h_from Array(Int64), h_until Array(Int64)) ENGINE = Memory;
CREATE TABLE linked (seed UInt32, root String, shop String, ord String, life UInt16, num String) ENGINE = Memory;
CREATE TABLE lives (seed UInt32, root String, life UInt16, ended UInt8, end_at Int64, end_m UInt8, orig String, dest String,
    scans UInt32, has_order UInt8, shop String, ord String, num String, pol UInt16, doc UInt16, market String, c Int64,
    te Array(Int64), tm Array(UInt8), tp Array(UInt8), tph Array(UInt8), tctry Array(String), tpost Array(String), tnum Array(String),
    tbf Array(UInt8), trec Array(Int64), tref Array(UInt8), tfin Array(UInt8)) ENGINE = Memory;
CREATE TABLE gaps (seed UInt32, root String, life UInt16, s Int64, t Int64, closed UInt8, level UInt8, num String) ENGINE = Memory;
CREATE TABLE deadlines (seed UInt32, entity String, family String, rule String, detail String, num String, pol UInt16, doc UInt16, shop String, market String,
    a Int64, secs Int64, days Int64, shipping UInt8, m Int64, z Int64, now Int64, h_from Array(Int64), h_until Array(Int64)) ENGINE = Memory;
CREATE TABLE alerts (seed UInt32, entity String, family String, rule String, detail String, num String, anchor Int64, level UInt8, status String, ended Int64) ENGINE = Memory;
