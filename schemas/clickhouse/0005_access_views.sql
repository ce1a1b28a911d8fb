-- What the row policies of the role scantrail_seller are made of. A view has no
-- rights of its own here: whoever reads it sees what the policies let through.

CREATE OR REPLACE VIEW seller_shops{{.OnCluster}} AS
SELECT shop_id FROM seller_users FINAL
WHERE user_name = currentUser() AND NOT revoked
COMMENT 'Shops whose rows the asking user may see as a seller.'
;

CREATE OR REPLACE VIEW seller_numbers{{.OnCluster}} AS
SELECT DISTINCT arrayJoin(arrayPushFront(l.others, p.tracking_number)) AS tracking_number,
    arrayJoin(range(p.first_ten_days, p.end_ten_days)) AS ten_days
FROM
(
    -- A number begins a new life, maybe of another shop, no sooner than 30 days
    -- after the end of this one, or after 120 days of silence.
    SELECT tracking_number, toUInt32(intDiv(toUnixTimestamp(opened_at), 864000)) AS first_ten_days,
        toUInt32(intDiv(toUnixTimestamp(ifNull(ended_at, ifNull(last_progress_at, opened_at))), 864000)
            + if(ended_at IS NULL, 12, 2)) AS end_ten_days
    FROM parcels FINAL
    WHERE shop_id != '' AND shop_id IN (SELECT shop_id FROM seller_shops)
) AS p
LEFT ANY JOIN
(
    -- A number that more than 8 others are linked with is no parcel's own.
    SELECT own, groupUniqArray(other) AS others
    FROM
    (
        SELECT arrayJoin([(tracking_number, other_number), (other_number, tracking_number)]) AS pair, pair.1 AS own, pair.2 AS other
        FROM aliases
    )
    WHERE other NOT IN (SELECT entity FROM data_gaps WHERE kind = 'quarantine')
    GROUP BY own
    HAVING length(others) <= 8
) AS l ON l.own = p.tracking_number
COMMENT 'Tracking numbers of the asking seller''s parcels, and for each the spans of ten days (Unix time / 864000 s) of its life: a number that another shop used in other years shows nothing of it.'
;
