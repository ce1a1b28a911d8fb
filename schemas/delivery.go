package schemas

import "slices"

// Delivery kinds: the reason of an event whose milestone is Delivered says how
// it was delivered, in one of these words, or nothing where the carrier does not
// tell. The list is closed: no other reason stands on a delivered event, and
// none of these on any other. A parcel that lies in a locker or shop and waits
// there is AvailableForPickup, not Delivered.
const (
	ToRecipient   = "to_recipient" // handed to the recipient or somebody of the household, without a word of a signature
	Signed        = "signed"       // against a signature
	ToNeighbour   = "neighbour"
	ToSafePlace   = "safe_place"   // left at the address, with nobody: door, porch, garage, agreed place
	ToMailbox     = "mailbox"      // letter box or post office box
	ToReception   = "reception"    // of a building or firm: front desk, mail room, concierge, guard
	ToAgent       = "agent"        // somebody whom the recipient or the house has authorised
	ByLocker      = "locker"       // fetched from a parcel locker, or left in that of the recipient's own house
	ByPickupPoint = "pickup_point" // fetched from a shop, post office or depot
)

// DeliveryKinds returns all delivery kinds, those that say least last: where a
// text says two things, the earlier one is the kind.
func DeliveryKinds() []string {
	return []string{ToNeighbour, ToSafePlace, ToMailbox, ToReception, ToAgent, ByLocker, ByPickupPoint, Signed, ToRecipient}
}

// IsDeliveryKind reports whether a reason is one of DeliveryKinds.
func IsDeliveryKind(reason string) bool { return slices.Contains(DeliveryKinds(), reason) }
