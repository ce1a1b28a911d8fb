-- What became of messages about alerts, and how their receivers are doing. The role
-- notify writes it and never reads it: what it has to send follows from Kafka.

CREATE TABLE IF NOT EXISTS alert_deliveries{{.OnCluster}}
(
    `alert_id` UUID COMMENT 'as in alerts',
    `alert_version` UInt64 COMMENT 'version of the transition, as in alert_transitions',
    `receiver` LowCardinality(String) COMMENT 'its name in notify.receivers',
    `kind` LowCardinality(String) COMMENT 'webhook, alertmanager, kafka, slack, feishu, dingtalk, wecom',
    `message_id` String COMMENT 'key of idempotency; of a digest, the same for all that it stands for',
    `outcome` LowCardinality(String) COMMENT 'delivered; rejected: the receiver will never take it; given_up: nobody took it for too long',
    `reason` String COMMENT 'why it was not delivered, in the receiver''s words where it said any',
    `at` DateTime64(3, 'UTC') COMMENT 'when, by the clock of the role notify'
)
ENGINE = {{engine "ReplacingMergeTree" "at"}}
ORDER BY (alert_id, receiver, alert_version)
COMMENT 'The end of each message to each receiver; what was filtered, or ended while it was held, is not in it. Read with FINAL. Rows of the last seconds before a crash may lack.'
;

CREATE TABLE IF NOT EXISTS receiver_states{{.OnCluster}}
(
    `receiver` LowCardinality(String) COMMENT 'its name in notify.receivers',
    `instance` String COMMENT 'of the process, made anew at each start',
    `kind` LowCardinality(String) COMMENT 'as in alert_deliveries',
    `waiting` UInt32 COMMENT 'messages to be sent',
    `held` UInt32 COMMENT 'alerts that wait for the end of an incident or of quiet hours',
    `collected` UInt32 COMMENT 'alerts that wait for a digest',
    `standing` UInt32 COMMENT 'open alerts that an Alertmanager is sent again and again',
    `failing` Bool COMMENT 'the last attempt failed',
    `last_success_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'of this instance',
    `last_failure_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'of this instance',
    `failure` String COMMENT 'why, of the last failure',
    `updated_at` DateTime64(3, 'UTC') COMMENT 'when this was so'
)
ENGINE = {{engine "ReplacingMergeTree" "updated_at"}}
ORDER BY (receiver, instance)
COMMENT 'How each receiver is doing, one row for each process that has served it. Read with FINAL.'
;
