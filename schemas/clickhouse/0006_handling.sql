-- What people do about alerts. The detector never reads it: what it finds is a
-- function of the log alone.

CREATE TABLE IF NOT EXISTS alert_handling{{.OnCluster}}
(
    `alert_id` UUID COMMENT 'as in alerts',
    `action_id` UUID COMMENT 'hash of the form that was sent and of what it said: sent twice, it is the same action',
    `rank` UInt64 COMMENT '2^64 - 1 - at in milliseconds: of several rows of one action the earliest stays',
    `at` DateTime64(3, 'UTC') COMMENT 'when somebody did it, by the clock of the console',
    `action` LowCardinality(String) COMMENT 'acknowledged, assigned, snoozed, commented, reopened',
    `level` UInt8 COMMENT 'of the alert as it was shown to them: above it the alert is not acknowledged, nor snoozed, any more',
    `by` String COMMENT 'who: name of the token, local without one',
    `assignee` String COMMENT 'of assigned: to whom; empty: to nobody any more',
    `until` Nullable(DateTime64(3, 'UTC')) COMMENT 'of snoozed: until when',
    `comment` String COMMENT 'in their words; may be there with every action'
)
ENGINE = {{engine "ReplacingMergeTree" "rank"}}
ORDER BY (alert_id, action_id)
COMMENT 'What people did about alerts, one row per action and never changed: acknowledged, assigned, snoozed, commented, reopened. Read with FINAL.'
;
