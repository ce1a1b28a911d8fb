package detector

// plainPolicy judges gaps and milestones alone.
const plainPolicy = `name: default
gap:
  at_risk: 36h
  open: 48h
  escalate: 72h
milestones:
  - milestone: export_cleared
    lanes: cross_border
    since: [accepted]
    after: 168h
  - milestone: arrived_destination
    lanes: cross_border
    satisfied_by: [arrived_destination, import_customs_started, import_customs_held, import_cleared, import_rejected]
    since: [accepted]
    after: 360h
  - milestone: out_for_delivery
    lanes: any
    excused_by: [available_for_pickup]
    since: [arrived_destination, import_customs_started, import_customs_held, import_cleared, import_rejected]
    after: 168h
score:
  milestones_weight: 60
  silence_weight: 40
  on_time_weight: 40
  completeness_weight: 30
  pickup_weight: 20
  exception_free_weight: 10
  completeness_required: 85
  lts_required: 75
`
