-- What has become of alerts in people's hands.

CREATE OR REPLACE VIEW alert_handling_current{{.OnCluster}} AS
SELECT alert_id,
    maxOrNullIf(h.at, h.action = 'reopened') AS reopened_at,
    if(ifNull(maxOrNullIf(h.at, h.action = 'acknowledged') > ifNull(reopened_at, toDateTime64(0, 3, 'UTC')), false), maxOrNullIf(h.at, h.action = 'acknowledged'), NULL) AS acknowledged_at,
    if(acknowledged_at IS NULL, '', argMaxIf(h.`by`, (h.at, h.action_id), h.action = 'acknowledged')) AS acknowledged_by,
    if(acknowledged_at IS NULL, 0, argMaxIf(h.level, (h.at, h.action_id), h.action = 'acknowledged')) AS acknowledged_level,
    argMaxIf(h.assignee, (h.at, h.action_id), h.action = 'assigned') AS assignee,
    if(assignee = '', NULL, maxOrNullIf(h.at, h.action = 'assigned')) AS assigned_at,
    if(ifNull(maxOrNullIf(h.at, h.action = 'snoozed') > ifNull(reopened_at, toDateTime64(0, 3, 'UTC')), false), argMaxIf(h.`until`, (h.at, h.action_id), h.action = 'snoozed'), NULL) AS snoozed_until,
    if(snoozed_until IS NULL, '', argMaxIf(h.`by`, (h.at, h.action_id), h.action = 'snoozed')) AS snoozed_by,
    if(snoozed_until IS NULL, 0, argMaxIf(h.level, (h.at, h.action_id), h.action = 'snoozed')) AS snoozed_level,
    countIf(h.comment != '') AS comments,
    argMaxIf(h.comment, (h.at, h.action_id), h.comment != '') AS last_comment,
    count() AS actions,
    max(h.at) AS last_action_at,
    argMax(h.action, (h.at, h.action_id)) AS last_action,
    argMax(h.`by`, (h.at, h.action_id)) AS last_action_by
FROM alert_handling AS h FINAL
GROUP BY alert_id
COMMENT 'One row per alert that somebody has handled, whatever became of it: acknowledged, assigned, snoozed, commented. A later reopened takes back what was acknowledged and snoozed, not the assignee. acknowledged_level and snoozed_level: the alert''s level then.'
;

CREATE OR REPLACE VIEW alerts_to_handle{{.OnCluster}} AS
WITH (SELECT clock FROM log_clock) AS clock
SELECT a.alert_id AS alert_id, a.rule AS rule, a.detail AS detail, a.level AS level, a.status AS status, a.milestone AS milestone,
    a.stage AS stage, a.parcel_id AS parcel_id, a.tracking_number AS tracking_number, a.carrier AS carrier, a.facility AS facility,
    a.country AS country, a.shop_id AS shop_id, a.order_id AS order_id, a.market AS market, a.origin AS origin,
    a.destination AS destination, a.anchor_at AS anchor_at, a.opened_at AS opened_at, a.changed_at AS changed_at,
    a.silent_secs AS silent_secs, a.cause AS cause, a.backfill AS backfill, a.held AS held, a.uncertain AS uncertain,
    a.policy AS policy, a.hours_since_anchor AS hours_since_anchor, a.advice AS advice,
    h.acknowledged_at AS acknowledged_at, h.acknowledged_by AS acknowledged_by, h.acknowledged_level AS acknowledged_level,
    h.assignee AS assignee, h.assigned_at AS assigned_at,
    h.snoozed_until AS snoozed_until, h.snoozed_by AS snoozed_by, h.snoozed_level AS snoozed_level,
    h.comments AS comments, h.last_comment AS last_comment, h.actions AS actions, h.last_action_at AS last_action_at,
    h.last_action AS last_action, h.last_action_by AS last_action_by,
    h.acknowledged_at IS NOT NULL AND a.level <= h.acknowledged_level AS handled,
    ifNull(h.snoozed_until > clock, false) AND a.level <= h.snoozed_level AS snoozed
FROM open_alerts AS a
LEFT ANY JOIN alert_handling_current AS h ON h.alert_id = a.alert_id
COMMENT 'open_alerts with what people did about each. handled: acknowledged at its present level. snoozed: put aside until snoozed_until (by the clock of the log), unless it has escalated since. NOT handled AND NOT snoozed waits for somebody.'
;
