-- name: facts (definitions 1-4)
INSERT INTO facts
SELECT s.seed, n.root, s.v.1, s.fact, intDiv(least(s.v.2, s.first), 1000), s.v.3, s.v.4, s.v.5, s.v.6, s.v.7, s.v.8, s.v.9, s.v.10, s.history,
    intDiv(s.first, 1000), s.v.11
FROM
(
    SELECT seed, fact, argMax((num, occ, m, p, ph, ctry, post, orig, dest, chk, ref), ver) AS v,
        arrayMin(arrayMap(x -> x.2, arrayFilter(x -> x.1 = max(ver), groupArray((ver, rec))))) AS first, min(bf) AS history
    FROM in_scans
    WHERE (seed, fact) NOT IN (SELECT seed, fact FROM in_voids)
    GROUP BY seed, fact
) AS s
INNER JOIN in_numbers AS n ON n.seed = s.seed AND n.num = s.v.1
WHERE n.quarantined = 0;

-- name: lives (definition 5). Walk: life, end of the trail so far by a hard end (95, 106, 107, 129), by a soft one
-- (105, 141 that no progress has followed yet), time of the fact before.
INSERT INTO lived
SELECT seed, root, life, idx, f.6, f.1, f.2, f.4, f.5, f.7, f.8, f.9, f.10, f.11, f.12, f.13, f.14
FROM
(
    SELECT seed, root, arraySort(x -> (x.1, x.2, x.3), groupArray((e, m, fact, p, ph, num, ctry, post, orig, dest, chk, bf, rec, ref))) AS fs,
        arrayFold((acc, x) -> arrayMap(fresh -> arrayMap((hard, soft) -> (
                toUInt16(acc.1 + fresh),
                toInt64(multiIf(x.2 = 120, -1, x.2 IN (95, 106, 107, 129) AND hard < 0, x.1, hard)),
                toInt64(multiIf(x.2 = 120, -1, x.2 IN (105, 141) AND hard < 0 AND (soft < 0 OR x.4 = 1), x.1, x.4 = 1, -1, soft)),
                toInt64(x.1),
                arrayPushBack(acc.5, toUInt16(acc.1 + fresh))),
                [if(fresh = 1, toInt64(-1), acc.2)], [if(fresh = 1, toInt64(-1), acc.3)])[1],
            [toUInt8(acc.4 >= 0 AND x.2 IN (10, 11, 12, 20)
                AND ((if(acc.3 >= 0, acc.3, acc.2) >= 0 AND x.1 - if(acc.3 >= 0, acc.3, acc.2) >= 2592000) OR x.1 - acc.4 >= 10368000))])[1],
            fs, (toUInt16(1), toInt64(-1), toInt64(-1), toInt64(-1), CAST([], 'Array(UInt16)'))).5 AS numbered
    FROM facts
    GROUP BY seed, root
)
ARRAY JOIN fs AS f, numbered AS life, arrayEnumerate(fs) AS idx;

-- name: trail (definition 7). Walk: ended, segment (a return_started after an end begins the next), return seen.
INSERT INTO trail
SELECT seed, root, life, f.1, f.5, f.2, if(f.3 = 95 AND w.4 = 1, 129, f.3), f.4, f.6, f.7, f.8, f.9, f.10, f.11, w.2, w.3
FROM
(
    SELECT seed, root, life, arraySort(x -> x.1, groupArray((idx, e, m, p, num, ph, ctry, post, bf, rec, ref))) AS fs,
        arrayMax(x -> if(x.4 = 1, x.1, 0), fs) AS last_progress,
        arrayFold((acc, x) -> (
                toUInt8(if(acc.1 = 1 AND x.3 != 120, 1, x.3 IN (95, 106, 107, 129) OR (x.3 IN (105, 141) AND x.1 >= last_progress))),
                toUInt16(acc.2 + (acc.1 = 1 AND x.3 = 120)),
                toUInt8(acc.3 = 1 OR x.3 = 120),
                arrayPushBack(acc.4, (
                    toUInt8(acc.1 = 0 OR x.3 = 120),
                    toUInt16(acc.2 + (acc.1 = 1 AND x.3 = 120)),
                    toUInt8(acc.1 = 0 AND (x.3 IN (95, 106, 107, 129) OR (x.3 IN (105, 141) AND x.1 >= last_progress))),
                    acc.3))),
            fs, (toUInt8(0), toUInt16(0), toUInt8(0), CAST([], 'Array(Tuple(UInt8, UInt16, UInt8, UInt8))'))).4 AS walked
    FROM lived
    GROUP BY seed, root, life
)
ARRAY JOIN fs AS f, walked AS w
WHERE w.1 = 1;

-- name: orders
INSERT INTO orders
WITH (at, kind, market, carrier, src, orig, dest, post, promise, until) AS o
SELECT seed, shop, ord,
    if(countIf(kind = 6) > 0, minIf(at, kind = 6), min(at)),
    countIf(kind = 6) > 0,
    arraySort(groupUniqArrayArray(nums)),
    argMinIf(market, o, market != ''),
    if(countIf(kind = 1) = 0, -1, minIf(at, kind = 1)),
    if(countIf(kind = 2) = 0, -1, minIf(at, kind = 2)),
    if(countIf(kind = 3) = 0, -1, minIf(at, kind = 3)),
    if(countIf(kind = 4) = 0, -1, minIf(at, kind = 4)),
    if(countIf(kind = 5) = 0, -1, minIf(at, kind = 5)),
    if(countIf(kind = 10) = 0, -1, minIf(at, kind = 10)),
    if(countIf(kind = 6) = 0, -1, minIf(at, kind = 6)),
    argMinIf(src, o, kind = 6 AND src != ''),
    if(countIf(kind = 6 AND src != '') = 0, -1, minIf(at, kind = 6 AND src != '')),
    argMinIf(carrier, o, kind = 6 AND carrier != ''),
    if(countIf(kind = 6 AND carrier != '') = 0, -1, minIf(at, kind = 6 AND carrier != '')),
    argMinIf(orig, o, kind = 6 AND orig != ''),
    argMinIf(dest, o, kind = 6 AND dest != ''),
    argMinIf(post, o, kind = 6 AND post != ''),
    if(countIf(promise != 0) = 0, -1, argMaxIf(promise, o, promise != 0)),
    arraySort(groupUniqArrayIf(at, kind = 8)),
    arraySort(groupArrayIf(at, kind IN (9, 10))),
    arrayMap(h -> h.1, groupArrayIf((at, until), kind = 11 AND until > at) AS h),
    arrayMap(h -> h.2, h)
FROM
(
    SELECT seed, shop, ord, fact, any(kind) AS kind, intDiv(any(in_orders.at), 1000) AS at, intDiv(any(in_orders.until), 1000) AS until, intDiv(any(in_orders.promise), 1000) AS promise,
        any(in_orders.nums) AS nums, any(carrier) AS carrier, any(src) AS src, any(orig) AS orig, any(dest) AS dest, any(post) AS post, any(market) AS market
    FROM in_orders
    GROUP BY seed, shop, ord, fact
)
GROUP BY seed, shop, ord;

-- name: linked (definition 6)
INSERT INTO linked
SELECT o.seed, o.root, o.shop, o.ord,
    multiIf(empty(l.ls), 1,
        arrayExists(x -> x.2 = 0 OR x.3 >= o.t_o, l.ls), arrayFirst(x -> x.2 = 0 OR x.3 >= o.t_o, l.ls).1,
        o.t_o < l.ls[-1].3 + 2592000, l.ls[-1].1,
        l.ls[-1].1 + 1),
    o.num
FROM
(
    SELECT q.seed AS seed, n.root AS root, q.shop AS shop, q.ord AS ord, any(q.t_o) AS t_o, min(q.one) AS num
    FROM (SELECT seed, shop, ord, t_o, one FROM orders ARRAY JOIN nums AS one) AS q
    INNER JOIN in_numbers AS n ON n.seed = q.seed AND n.num = q.one
    WHERE n.quarantined = 0
    GROUP BY q.seed, n.root, q.shop, q.ord
) AS o
LEFT JOIN
(
    SELECT seed, root, arraySort(groupArray((life, ended, end_at))) AS ls
    FROM
    (
        SELECT seed, root, life, argMax(fin, idx) AS ended, argMax(e, idx) AS end_at
        FROM trail
        GROUP BY seed, root, life
    )
    GROUP BY seed, root
) AS l ON l.seed = o.seed AND l.root = o.root;

-- name: lives with their trail, lane, main order, policy
INSERT INTO lives
SELECT v.seed, v.root, v.life, v.ended, v.end_at, v.end_m, v.origin, v.destination, v.scans, v.has_order, v.shop, v.ord, v.onum,
    d.pols[arrayFirstIndex((mk, sh, la, ca) -> (empty(mk) OR has(mk, if(v.market != '', v.market, v.destination)))
        AND (empty(sh) OR has(sh, v.shop)) AND (empty(ca) OR has(ca, v.carrier))
        AND (empty(la) OR arrayExists(x -> splitByChar('-', x)[1] IN ('*', v.origin) AND splitByChar('-', x)[2] IN ('*', v.destination), la)),
        d.markets, d.shops, d.lanes, d.carriers)],
    s.doc, if(v.market != '', v.market, v.destination),
    if(n.linked > 0 OR (v.seed, v.root) IN (SELECT seed, root FROM linked), k.s, k.c), v.te, v.tm, v.tp, v.tph, v.tctry, v.tpost, v.tnum, v.tbf, v.trec, v.tref, v.tfin
FROM
(
    SELECT b.seed AS seed, b.root AS root, b.life AS life, t.ended AS ended, if(t.ended = 1, t.end_at, -1) AS end_at, if(t.ended = 1, t.end_m, 0) AS end_m,
        if(o.orig != '', o.orig, f.orig) AS origin, if(o.dest != '', o.dest, f.dest) AS destination, f.scans AS scans,
        m.one AS has_order, m.main.1 AS shop, m.main.2 AS ord, m.main.3 AS onum, o.market AS market, o.carrier AS carrier,
        t.te AS te, t.tm AS tm, t.tp AS tp, t.tph AS tph, t.tctry AS tctry, t.tpost AS tpost, t.tnum AS tnum, t.tbf AS tbf, t.trec AS trec, t.tref AS tref, t.tfin AS tfin
    FROM (SELECT DISTINCT seed, root, life FROM (SELECT seed, root, life FROM lived UNION ALL SELECT seed, root, life FROM linked)) AS b
    LEFT JOIN
    (
        SELECT seed, root, life, count() AS scans, argMinIf(orig, idx, orig != '') AS orig, argMinIf(dest, idx, dest != '') AS dest
        FROM lived GROUP BY seed, root, life
    ) AS f ON f.seed = b.seed AND f.root = b.root AND f.life = b.life
    LEFT JOIN
    (
        SELECT seed, root, life, arraySort(groupArray((idx, e, m, p, ph, ctry, post, num, bf, rec, ref, fin))) AS r,
            r[-1].12 AS ended, r[-1].2 AS end_at, r[-1].3 AS end_m,
            r.2 AS te, r.3 AS tm, r.4 AS tp, r.5 AS tph, r.6 AS tctry, r.7 AS tpost, r.8 AS tnum, r.9 AS tbf, r.10 AS trec, r.11 AS tref, r.12 AS tfin
        FROM trail GROUP BY seed, root, life
    ) AS t ON t.seed = b.seed AND t.root = b.root AND t.life = b.life
    LEFT JOIN
    (
        SELECT x.seed AS seed, x.root AS root, x.life AS life, 1 AS one, argMin((x.shop, x.ord, x.num), (y.label = 0, y.t_o, x.shop, x.ord)) AS main
        FROM linked AS x INNER JOIN orders AS y ON y.seed = x.seed AND y.shop = x.shop AND y.ord = x.ord
        GROUP BY x.seed, x.root, x.life
    ) AS m ON m.seed = b.seed AND m.root = b.root AND m.life = b.life
    LEFT JOIN orders AS o ON o.seed = b.seed AND o.shop = m.main.1 AND o.ord = m.main.2
) AS v
INNER JOIN in_seeds AS s ON s.seed = v.seed
INNER JOIN docs AS d ON d.doc = s.doc
INNER JOIN in_numbers AS n ON n.seed = v.seed AND n.num = v.root
INNER JOIN in_clocks AS k ON k.seed = v.seed AND k.part = n.part;

-- name: gaps (definition 11)
INSERT INTO gaps
SELECT seed, root, life, s, t, t > 0,
    multiIf(long >= esc, 2, long >= open, 1, 0) AS level, num
FROM
(
    SELECT g.seed AS seed, g.root AS root, g.life AS life, g.s AS s, g.t AS t, if(g.t > 0, g.t, l.c) - g.s AS long,
        arrayFirst((n, e, p, ph) -> e = g.s AND if(q.physical = 1, ph, p) = 1, l.tnum, l.te, l.tp, l.tph) AS num,
        arrayMax(arrayMap((m, e, p) -> if(p = 1 AND m BETWEEN 20 AND 95 AND e <= g.s, m, 0), l.tm, l.te, l.tp)) AS stage,
        multiIf(stage BETWEEN 20 AND 31, 2, stage BETWEEN 40 AND 43, 3, stage BETWEEN 50 AND 57, 4, stage = 60, 5, stage BETWEEN 70 AND 73, 6,
            stage BETWEEN 80 AND 83, 7, stage BETWEEN 90 AND 92, 8, 0) AS grp,
        arrayFirstIndex((st, la) -> has(st, grp) AND (empty(la) OR arrayExists(x -> splitByChar('-', x)[1] IN ('*', l.orig) AND splitByChar('-', x)[2] IN ('*', l.dest), la)),
            q.go_stages, q.go_lanes) AS over,
        if(over > 0, q.go_open[over], q.gap_open) AS open, if(over > 0, q.go_esc[over], q.gap_esc) AS esc
    FROM
    (
        SELECT seed, root, life, seg, e AS s, clk, last_seg,
            leadInFrame(e) OVER (PARTITION BY seed, root, life, seg ORDER BY e ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS t
        FROM
        (
            SELECT t.seed AS seed, t.root AS root, t.life AS life, t.seg AS seg, t.e AS e, max(if(q.physical = 1, t.ph, t.p)) AS clk, any(x.last_seg) AS last_seg
            FROM trail AS t
            INNER JOIN (SELECT seed, root, life, max(seg) AS last_seg FROM trail GROUP BY seed, root, life) AS x ON x.seed = t.seed AND x.root = t.root AND x.life = t.life
            INNER JOIN (SELECT seed, root, life, pol FROM lives) AS l ON l.seed = t.seed AND l.root = t.root AND l.life = t.life
            INNER JOIN (SELECT pol, physical FROM policies) AS q ON q.pol = l.pol
            WHERE t.fin = 1 OR if(q.physical = 1, t.ph, t.p) = 1
            GROUP BY t.seed, t.root, t.life, t.seg, t.e
        )
    ) AS g
    INNER JOIN lives AS l ON l.seed = g.seed AND l.root = g.root AND l.life = g.life
    INNER JOIN policies AS q ON q.pol = l.pol
    WHERE g.clk = 1 AND (g.t > 0 OR (l.ended = 0 AND g.seg = g.last_seg))
)
WHERE level > 0;

-- name: gap alerts
INSERT INTO alerts
SELECT seed, root, 'gap', if(level = 2, 'gap_72h', 'gap_48h'), '', num, s, level,
    multiIf(closed = 1, 'resolved', level = 2, 'escalated', 'open'), if(closed = 1, t, 0)
FROM gaps;

-- name: milestone_missing (definition 12)
INSERT INTO alerts
SELECT seed, root, 'milestone_missing:' || name, 'milestone_missing', name, num, anchor, 1, if(m < 0, 'open', 'resolved'), if(m < 0, 0, m)
FROM
(
    SELECT l.seed AS seed, l.root AS root, r.name AS name,
        arrayFilter((e, x) -> has(r.sat, x), l.te, l.tm) AS seen, if(empty(seen), -1, seen[1]) AS m,
        arrayExists((x, p) -> p = 1 AND x BETWEEN 20 AND 95 AND x != 57 AND x > arrayMax(r.sat), l.tm, l.tp) AS later,
        arrayExists(x -> has(r.exc, x), l.tm) AS excused,
        arrayFilter((e, x) -> has(r.since, x), l.te, l.tm) AS since,
        if(empty(since), -1, since[1] + r.after) AS due,
        if(has(l.tm, 20), indexOf(l.tm, 20), indexOf(l.tp, 1)) AS at,
        l.te[at] AS anchor, l.tnum[at] AS num
    FROM lives AS l
    INNER JOIN required AS r ON r.pol = l.pol
    WHERE at > 0
        AND (r.cross_border = 0 OR (l.orig != '' AND l.dest != '' AND l.orig != l.dest AND NOT (
            l.orig IN ('AT', 'BE', 'BG', 'HR', 'CY', 'CZ', 'DK', 'EE', 'FI', 'FR', 'DE', 'GR', 'HU', 'IE', 'IT', 'LV', 'LT', 'LU', 'MT', 'NL', 'PL', 'PT', 'RO', 'SK', 'SI', 'ES', 'SE')
            AND l.dest IN ('AT', 'BE', 'BG', 'HR', 'CY', 'CZ', 'DK', 'EE', 'FI', 'FR', 'DE', 'GR', 'HU', 'IE', 'IT', 'LV', 'LT', 'LU', 'MT', 'NL', 'PL', 'PT', 'RO', 'SK', 'SI', 'ES', 'SE'))))
        AND ((m < 0 AND NOT excused AND (later OR (due >= 0 AND if(l.ended = 1, least(l.c, l.end_at), l.c) > due)))
            OR (m >= 0 AND due >= 0 AND m > due))
);

-- name: stage_stalled (definition 13)
INSERT INTO alerts
SELECT y.seed, y.root, 'stage_stalled', 'stage_stalled', '', arrayFirst((n, e, p) -> e = y.b AND p = 1, l.tnum, l.te, l.tp), y.b, 1,
    if(y.n > 0, 'resolved', 'open'), y.n
FROM
(
    SELECT seed, root, life, b, grp, multiIf(next > 0 AND closing > 0, least(next, closing), greatest(next, closing)) AS n
    FROM
    (
        SELECT x.seed AS seed, x.root AS root, x.life AS life, x.b AS b, x.grp AS grp, z.closing AS closing,
            leadInFrame(x.b) OVER (PARTITION BY x.seed, x.root, x.life ORDER BY x.idx ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next
        FROM
        (
            SELECT seed, root, life, seg, idx, e AS b, hi AS grp,
                lagInFrame(hi) OVER (PARTITION BY seed, root, life ORDER BY idx ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS before
            FROM
            (
                SELECT seed, root, life, seg, idx, e,
                    max(multiIf(m BETWEEN 20 AND 31, 2, m BETWEEN 40 AND 43, 3, m BETWEEN 50 AND 57, 4, m = 60, 5, m BETWEEN 70 AND 73, 6,
                        m BETWEEN 80 AND 83, 7, m BETWEEN 90 AND 92, 8, m IN (120, 121), 9, 0))
                        OVER (PARTITION BY seed, root, life ORDER BY idx ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS hi
                FROM trail
                WHERE p = 1
            )
        ) AS x
        LEFT JOIN (SELECT seed, root, life, seg, e AS closing FROM trail WHERE fin = 1) AS z
            ON z.seed = x.seed AND z.root = x.root AND z.life = x.life AND z.seg = x.seg
        WHERE x.grp > x.before
    )
) AS y
INNER JOIN lives AS l ON l.seed = y.seed AND l.root = y.root AND l.life = y.life
INNER JOIN policies AS q ON q.pol = l.pol
LEFT JOIN (SELECT seed, root, life, groupArray(s) AS ss FROM gaps GROUP BY seed, root, life) AS g
    ON g.seed = y.seed AND g.root = y.root AND g.life = y.life
WHERE q.stay > 0
    AND if(y.n > 0, y.n, l.c) - y.b > if(arrayFirstIndex((st, la) -> has(st, y.grp) AND (empty(la) OR arrayExists(x -> splitByChar('-', x)[1] IN ('*', l.orig)
            AND splitByChar('-', x)[2] IN ('*', l.dest), la)), q.so_stages, q.so_lanes) AS over > 0, q.so_after[over], q.stay)
    AND arrayExists((e, p) -> p = 1 AND e > y.b AND e < if(y.n > 0, y.n, l.c), l.te, l.tp)
    AND NOT arrayExists(s -> s >= y.b AND s < if(y.n > 0, y.n, l.c), g.ss);

-- name: episodes (definition 14). Walk: open, anchor, stage at the anchor, number, stage so far, episodes (anchor, number, end).
INSERT INTO alerts
SELECT seed, root, rule, rule, '', argMax(ep.2, i), anchor, 1, if(argMax(ep.3, i) < 0, 'open', 'resolved'), if(argMax(ep.3, i) < 0, 0, argMax(ep.3, i))
FROM
(
    SELECT l.seed AS seed, l.root AS root, l.life AS life, rule,
        arrayFold((acc, x) -> arrayMap((cur, shut) -> arrayMap(begin -> (
                toUInt8((acc.1 = 1 AND shut = 0) OR begin = 1),
                if(begin = 1, x.1, acc.2), if(begin = 1, cur, acc.3), if(begin = 1, x.5, acc.4), cur,
                if(shut = 1, arrayPushBack(acc.6, (acc.2, acc.4, x.1)), acc.6)),
                [toUInt8((acc.1 = 0 OR shut = 1) AND (has(list, x.2) OR (rule = 'undeliverable' AND notEmpty(list) AND x.6 = 1 AND x.4 = 0)))])[1],
            [toUInt8(if(x.3 = 1 AND x.2 BETWEEN 20 AND 95, greatest(acc.5, x.2), acc.5))],
            [toUInt8(acc.1 = 1 AND (x.4 = 1 OR (x.3 = 1 AND x.2 BETWEEN 20 AND 95 AND x.2 != 57 AND x.2 > acc.3)))])[1],
            arrayZip(l.te, l.tm, l.tp, l.tfin, l.tnum, l.tref),
            (toUInt8(0), toInt64(0), toUInt8(0), '', toUInt8(0), CAST([], 'Array(Tuple(Int64, String, Int64))'))) AS walked,
        if(walked.1 = 1, arrayPushBack(walked.6, (walked.2, walked.4, toInt64(-1))), walked.6) AS eps
    FROM lives AS l
    INNER JOIN
    (
        SELECT pol, pair.1 AS rule, pair.2 AS list FROM policies
        ARRAY JOIN [('undeliverable', undeliverable), ('exception', exception)] AS pair
    ) AS q ON q.pol = l.pol
    WHERE notEmpty(l.te)
)
ARRAY JOIN eps AS ep, arrayEnumerate(eps) AS i
GROUP BY seed, root, life, rule, ep.1 AS anchor;

-- name: first_scan_upload_late (definition 15)
INSERT INTO alerts
SELECT l.seed, l.root, 'first_scan_upload_late', 'first_scan_upload_late', '', l.tnum[i], l.te[i], 1, 'resolved', l.te[i] + least(l.trec[i] - l.te[i], 16777215)
FROM lives AS l
INNER JOIN policies AS q ON q.pol = l.pol
WHERE (indexOf(l.tm, 20) AS i) > 0 AND q.upload > 0 AND l.tbf[i] = 0 AND l.trec[i] - l.te[i] > q.upload;

-- name: virtual_warehouse (definition 16)
INSERT INTO alerts
SELECT seed, root, 'virtual_warehouse:' || kind.1, 'virtual_warehouse', kind.1, tnum[kind.2], te[kind.2], 1, 'open', 0
FROM
(
    SELECT l.seed AS seed, l.root AS root, l.tnum AS tnum, l.te AS te,
        arrayFirstIndex((m, p) -> p = 1 AND m BETWEEN 60 AND 95, l.tm, l.tp) AS far,
        arrayExists((ph, c, m) -> ph = 1 AND (c = l.orig OR (c = '' AND m BETWEEN 20 AND 51)), l.tph, l.tctry, l.tm) AS evidence,
        arrayFirstIndex((ph, c) -> ph = 1 AND c NOT IN ('', l.orig), l.tph, l.tctry) AS foreign_scan,
        arrayFilter(k -> k.2 > 0, [
            ('no_origin', if(l.orig != l.dest AND NOT evidence, far, 0)),
            ('abroad', if(l.has_order = 1 AND o.orig != '' AND o.orig = o.dest, foreign_scan, 0))]) AS kinds
    FROM lives AS l
    INNER JOIN policies AS q ON q.pol = l.pol
    LEFT JOIN orders AS o ON o.seed = l.seed AND o.shop = l.shop AND o.ord = l.ord
    WHERE q.warehouse = 1 AND l.orig != '' AND l.dest != ''
)
ARRAY JOIN kinds AS kind;

-- name: deadlines of orders (definition 19)
INSERT INTO deadlines
SELECT seed, 'order:' || shop || ':' || ord AS entity, if(d.2 = '', d.1, d.1 || ':' || d.2), d.1, d.2, entity, pol, doc, shop, market,
    d.3, d.4.1, d.4.2, d.5, d.6, d.7, now, h_from, h_until
FROM
(
    SELECT o.seed AS seed, o.shop AS shop, o.ord AS ord, if(o.market != '', o.market, o.dest) AS market, o.h_from AS h_from, o.h_until AS h_until, s.doc AS doc, q.pol AS pol, q.limits AS lim, q.grace AS grace, k.s AS now,
        arrayFirstIndex(x -> empty(x) OR has(x, if(o.market != '', o.market, o.dest)), q.pr_markets) AS pr,
        multiIf(o.promise >= 0, o.promise, o.created < 0 OR pr = 0, -1, q.pr_days[pr] > 0, arrayFilter((e, b) -> b > o.created, q.cal_end, q.cal_start)[q.pr_days[pr]],
            o.created + q.pr_secs[pr]) AS promised,
        arrayMin(arrayFilter(x -> x >= 0, [o.confirmed, o.ready, o.label_at, o.shipped, o.delivered, 1000000000000])) AS confirming,
        arrayMin(arrayFilter(x -> x >= 0, [o.ready, o.label_at, o.shipped, o.delivered, 1000000000000])) AS labelling,
        arrayConcat(
            [('confirm_late', '', o.created, (lim['confirm_late'].1, lim['confirm_late'].2), 1, if(confirming = 1000000000000, -1, confirming), o.cancelled),
             ('label_late', '', o.created, (lim['label_late'].1, lim['label_late'].2), 1, if(labelling = 1000000000000, -1, labelling), o.cancelled)],
            arrayMap(r -> ('cancel_unhandled', '', r, (lim['cancel_unhandled'].1, lim['cancel_unhandled'].2), 0,
                if(arrayExists(x -> x >= r, o.answers), arrayFirst(x -> x >= r, o.answers), -1), -1), o.requests),
            if(notEmpty(o.nums), [],
                [('pickup_late', '', if(lim['pickup_late'].3 = 1, o.created, o.confirmed), (lim['pickup_late'].1, lim['pickup_late'].2), 1, -1, o.cancelled),
                 ('shipped_late', '', o.created, (lim['shipped_late'].1, lim['shipped_late'].2), 1, o.shipped, o.cancelled),
                 ('delivered_late', '', promised, (lim['delivered_late'].1, lim['delivered_late'].2), 0, o.delivered, o.cancelled),
                 ('status_mismatch', 'shipped_not_scanned', o.shipped, (grace, 0), 0, -1, o.cancelled)])) AS ds
    FROM orders AS o
    INNER JOIN in_seeds AS s ON s.seed = o.seed
    INNER JOIN docs AS c ON c.doc = s.doc
    INNER JOIN in_order_parts AS p ON p.seed = o.seed AND p.shop = o.shop AND p.ord = o.ord
    INNER JOIN in_clocks AS k ON k.seed = o.seed AND k.part = p.part
    INNER JOIN policies AS q ON q.pol = c.pols[arrayFirstIndex((mk, sh, la, ca) -> (empty(mk) OR has(mk, if(o.market != '', o.market, o.dest)))
        AND (empty(sh) OR has(sh, o.shop)) AND (empty(ca) OR has(ca, o.carrier))
        AND (empty(la) OR arrayExists(x -> splitByChar('-', x)[1] IN ('*', o.orig) AND splitByChar('-', x)[2] IN ('*', o.dest), la)),
        c.markets, c.shops, c.lanes, c.carriers)]
)
ARRAY JOIN ds AS d
WHERE d.3 >= 0 AND (d.4.1 > 0 OR d.4.2 > 0);

-- name: deadlines of parcels (definition 19)
INSERT INTO deadlines
SELECT seed, root, if(d.2 = '', d.1, d.1 || ':' || d.2), d.1, d.2, if(d.8 > 0, tnum[d.8], num), pol, doc, shop, market,
    d.3, d.4.1, d.4.2, d.5, d.6, d.7, now, h_from, h_until
FROM
(
    SELECT l.seed AS seed, l.root AS root, l.tnum AS tnum, l.num AS num, l.pol AS pol, l.doc AS doc, l.shop AS shop, l.market AS market, l.c AS now,
        o.h_from AS h_from, o.h_until AS h_until, q.limits AS lim,
        arrayFirstIndex(x -> empty(x) OR has(x, l.market), q.pr_markets) AS pr,
        multiIf(o.promise >= 0, o.promise, o.created < 0 OR pr = 0, -1, q.pr_days[pr] > 0, arrayFilter((e, b) -> b > o.created, q.cal_end, q.cal_start)[q.pr_days[pr]],
            o.created + q.pr_secs[pr]) AS promised,
        arrayFirstIndex((ph, m) -> ph = 1 AND m != 12, l.tph, l.tm) AS fi, if(fi > 0, l.te[fi], -1) AS first,
        indexOf(l.tm, 95) AS di, if(di > 0, l.te[di], -1) AS del,
        if(l.ended = 1 AND l.end_m != 95, l.end_at, -1) AS broken,
        multiIf(o.cancelled >= 0 AND broken >= 0, least(o.cancelled, broken), greatest(o.cancelled, broken)) AS z,
        multiIf(o.shipped >= 0 AND first >= 0, least(o.shipped, first), greatest(o.shipped, first)) AS sent,
        multiIf(o.shipped >= 0 AND o.delivered >= 0, least(o.shipped, o.delivered), greatest(o.shipped, o.delivered)) AS marked,
        [('pickup_late', '', if(lim['pickup_late'].3 = 1, o.created, o.confirmed), (lim['pickup_late'].1, lim['pickup_late'].2), 1, first, z, 0),
         ('carrier_pickup_late', '', if(o.src = 'platform', o.ready, -1), (lim['carrier_pickup_late'].1, lim['carrier_pickup_late'].2), 1, first, z, 0),
         ('shipped_late', '', o.created, (lim['shipped_late'].1, lim['shipped_late'].2), 1, sent, z, 0),
         ('delivered_late', '', promised, (lim['delivered_late'].1, lim['delivered_late'].2), 0, del, z, 0),
         ('status_mismatch', 'shipped_not_scanned', o.shipped, (q.grace, 0), 0, first, z, 0),
         ('status_mismatch', 'delivered_not_seen', o.delivered, (q.grace, 0), 0, del, z, 0),
         ('status_mismatch', 'not_marked_shipped', if(q.reverse = 1 AND o.created >= 0, first, -1), (q.grace, 0), 0, marked, o.cancelled, fi),
         ('status_mismatch', 'not_marked_delivered', if(q.reverse = 1 AND o.created >= 0, del, -1), (q.grace, 0), 0, o.delivered, o.cancelled, di)] AS ds
    FROM lives AS l
    INNER JOIN policies AS q ON q.pol = l.pol
    INNER JOIN orders AS o ON o.seed = l.seed AND o.shop = l.shop AND o.ord = l.ord
    WHERE l.has_order = 1
)
ARRAY JOIN ds AS d
WHERE d.3 >= 0 AND (d.4.1 > 0 OR d.4.2 > 0);

-- name: deadline alerts (definitions 17, 18)
INSERT INTO alerts
SELECT seed, entity, family, rule, detail, num, a, 1, if(ended < 0, 'open', 'resolved'), if(ended < 0, 0, ended)
FROM
(
    SELECT d.seed AS seed, d.entity AS entity, d.family AS family, d.rule AS rule, d.detail AS detail, d.num AS num, d.a AS a,
        if(d.shipping = 1, arraySort(arrayConcat(arrayZip(d.h_from, d.h_until),
            arrayMap((f, u, x, y) -> (f, u), arrayFilter((f, u, sh, mk) -> u > f AND (empty(sh) OR has(sh, d.shop)) AND (empty(mk) OR has(mk, d.market)), c.h_from, c.h_until, c.h_shops, c.h_markets) AS hf,
                arrayFilter((u, f, sh, mk) -> u > f AND (empty(sh) OR has(sh, d.shop)) AND (empty(mk) OR has(mk, d.market)), c.h_until, c.h_from, c.h_shops, c.h_markets), hf, hf))),
            CAST([], 'Array(Tuple(Int64, Int64))')) AS off,
        if(d.days > 0,
            arrayFilter((e, b) -> b > d.a AND NOT arrayExists(h -> h.1 < e AND h.2 > b, off), q.cal_end, q.cal_start)[d.days],
            arrayFold((acc, h) -> if(h.2 > acc.2 AND greatest(h.1, acc.2) < acc.1,
                (acc.1 + h.2 - greatest(h.1, acc.2), h.2), acc), off, (d.a + d.secs, d.a)).1) AS due,
        multiIf(d.m >= 0 AND (d.z < 0 OR d.m <= d.z), if(d.m > due, d.m, -2), d.z >= 0, if(d.z > due, d.z, -2), d.now > due, -1, -2) AS ended
    FROM deadlines AS d
    INNER JOIN policies AS q ON q.pol = d.pol
    INNER JOIN docs AS c ON c.doc = d.doc
)
WHERE ended != -2;

-- name: at once (definition 20)
INSERT INTO alerts
SELECT seed, root, if(k.2 = '', k.1, k.1 || ':' || k.2), k.1, k.2, if(k.4 > 0, tnum[k.4], num), if(k.4 > 0, te[k.4], k.3), 1, 'open', 0
FROM
(
    SELECT l.seed AS seed, l.root AS root, l.tnum AS tnum, l.te AS te, l.num AS num,
        indexOf(l.tp, 1) AS fp,
        arrayFirstIndex((m, post) -> m = 95 AND length(replaceRegexpAll(post, '[^A-Za-z0-9]', '')) >= 3 AND position(post, '*') = 0
            AND upper(substring(replaceRegexpAll(post, '[^A-Za-z0-9]', ''), 1, 3)) != upper(substring(replaceRegexpAll(o.post, '[^A-Za-z0-9]', ''), 1, 3)),
            l.tm, l.tpost) AS elsewhere,
        arrayFilter(x -> x.3 >= 0, [
            ('label_not_platform', '', if(q.seller_label = 1 AND o.src = 'seller', o.src_at, -1), 0),
            ('channel_not_compliant', '', if(notEmpty(q.channels) AND o.carrier != '' AND NOT has(q.channels, o.carrier), o.carrier_at, -1), 0),
            ('number_invalid', 'before_order', if(q.numbers = 1 AND q.before > 0 AND fp > 0 AND o.created >= 0 AND l.te[fp] < o.created - q.before, 1, -1), fp),
            ('number_invalid', 'postcode', if(q.numbers = 1 AND elsewhere > 0 AND length(replaceRegexpAll(o.post, '[^A-Za-z0-9]', '')) >= 3 AND position(o.post, '*') = 0, 1, -1), elsewhere)]) AS ks
    FROM lives AS l
    INNER JOIN policies AS q ON q.pol = l.pol
    INNER JOIN orders AS o ON o.seed = l.seed AND o.shop = l.shop AND o.ord = l.ord
    WHERE l.has_order = 1
)
ARRAY JOIN ks AS k;

-- name: number_invalid:destination (definition 20)
INSERT INTO alerts
SELECT l.seed, l.root, 'number_invalid:destination', 'number_invalid', 'destination', argMin(f.num, f.idx), min(f.e), 1, 'open', 0
FROM lives AS l
INNER JOIN policies AS q ON q.pol = l.pol
INNER JOIN orders AS o ON o.seed = l.seed AND o.shop = l.shop AND o.ord = l.ord
INNER JOIN lived AS f ON f.seed = l.seed AND f.root = l.root AND f.life = l.life
WHERE l.has_order = 1 AND q.numbers = 1 AND o.dest != '' AND f.dest != '' AND f.dest != o.dest
GROUP BY l.seed, l.root, l.life;

-- name: number_invalid:check (definition 20)
INSERT INTO alerts
SELECT f.seed, f.root, 'number_invalid:check', 'number_invalid', 'check', f.num, f.e, 1, 'open', 0
FROM
(
    SELECT seed, root, argMax(x.num, (x.life, -toInt64(idx))) AS num, argMax(x.e, (x.life, -toInt64(idx))) AS e, max(x.life) AS life
    FROM lived AS x
    GROUP BY seed, root
) AS f
INNER JOIN lives AS l ON l.seed = f.seed AND l.root = f.root AND l.life = f.life
INNER JOIN policies AS q ON q.pol = l.pol
WHERE q.numbers = 1 AND (f.seed, f.root) IN
    (SELECT s.seed, n.root FROM in_scans AS s INNER JOIN in_numbers AS n ON n.seed = s.seed AND n.num = s.num WHERE s.chk = 2);

-- name: number_invalid:reused (definition 20)
INSERT INTO alerts
SELECT r.seed, r.root, 'number_invalid:reused', 'number_invalid', 'reused', r.num, r.t_o, 1, 'open', 0
FROM
(
    SELECT x.seed AS seed, x.root AS root, x.num AS num, o.t_o AS t_o,
        row_number() OVER w AS nth, lagInFrame(o.t_o) OVER w AS earlier
    FROM linked AS x
    INNER JOIN orders AS o ON o.seed = x.seed AND o.shop = x.shop AND o.ord = x.ord
    WHERE o.cancelled < 0
    WINDOW w AS (PARTITION BY x.seed, x.root ORDER BY o.t_o, o.shop, o.ord ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
) AS r
INNER JOIN (SELECT seed, root, argMax(pol, life) AS pol FROM lives GROUP BY seed, root) AS l ON l.seed = r.seed AND l.root = r.root
INNER JOIN policies AS q ON q.pol = l.pol
WHERE r.nth > 1 AND q.numbers = 1 AND q.reused > 0 AND r.t_o - r.earlier <= q.reused;
