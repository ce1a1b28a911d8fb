-- Who was told of what, and who takes nothing.

CREATE OR REPLACE VIEW alert_deliveries_current{{.OnCluster}} AS
SELECT alert_id, receiver, argMax(d.kind, d.alert_version) AS receiver_kind,
    countIf(d.outcome = 'delivered') AS delivered_messages,
    argMax(d.alert_version, d.alert_version) AS told_version,
    argMax(d.outcome, d.alert_version) AS told_outcome,
    argMax(d.reason, d.alert_version) AS told_reason,
    argMax(d.at, d.alert_version) AS told_at
FROM alert_deliveries AS d FINAL
GROUP BY alert_id, receiver
COMMENT 'One row per alert and receiver that was to be told of it: what became of its latest transition. An alert without a row was filtered, waits still, or ended before it was sent.'
;

CREATE OR REPLACE VIEW receivers_current{{.OnCluster}} AS
SELECT s.receiver AS receiver, s.receiver_kind AS receiver_kind, s.waiting_messages AS waiting_messages, s.held_alerts AS held_alerts,
    s.collected_alerts AS collected_alerts, s.standing_alerts AS standing_alerts, s.is_failing AS is_failing,
    s.succeeded_at AS succeeded_at, s.failed_at AS failed_at, s.failed_reason AS failed_reason, s.seen_at AS seen_at,
    ifNull(d.delivered, 0) AS delivered_week, ifNull(d.rejected, 0) AS rejected_week, ifNull(d.given_up, 0) AS given_up_week
FROM
(
    SELECT receiver, argMax(r.kind, r.updated_at) AS receiver_kind,
        argMax(r.waiting, r.updated_at) AS waiting_messages, argMax(r.held, r.updated_at) AS held_alerts,
        argMax(r.collected, r.updated_at) AS collected_alerts, argMax(r.standing, r.updated_at) AS standing_alerts,
        argMax(r.failing, r.updated_at) AS is_failing, max(r.last_success_at) AS succeeded_at, max(r.last_failure_at) AS failed_at,
        argMaxIf(r.failure, r.last_failure_at, r.last_failure_at IS NOT NULL) AS failed_reason, max(r.updated_at) AS seen_at
    FROM receiver_states AS r FINAL
    GROUP BY receiver
) AS s
LEFT ANY JOIN
(
    SELECT receiver, countIf(outcome = 'delivered') AS delivered, countIf(outcome = 'rejected') AS rejected, countIf(outcome = 'given_up') AS given_up
    FROM alert_deliveries FINAL
    WHERE at >= (SELECT max(updated_at) FROM receiver_states) - toIntervalDay(7)
    GROUP BY receiver
) AS d ON d.receiver = s.receiver
COMMENT 'One row per receiver: what waits as its last process said it, its last success and failure over all processes, and what became of transitions in the 7 days before the newest of these rows.'
;
