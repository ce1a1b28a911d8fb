package schemas

// Kinds of an ArchiveRow.
const (
	ArchiveParcel = "parcel"
	ArchiveOrder  = "order"
)

// ArchiveRow is the state of a parcel or order that the detector has evicted,
// in table archive. It comes back in a Rebuild when the entity is heard of again.
type ArchiveRow struct {
	EntityID  ID
	OpenedAt  int64 // with EntityID the key: a number that was used again long after has several; Unix milliseconds
	Version   uint64
	Kind      string // ArchiveParcel or ArchiveOrder
	Name      string // tracking number, or OrderKey
	State     []byte // in the detector's own form, at most MaxState
	EvictedAt int64  // log clock, Unix milliseconds
}
