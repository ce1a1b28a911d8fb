package schemas

import "fmt"

// OrderKind is what an order fact says.
type OrderKind uint8

const (
	OrderCreated         OrderKind = 1
	OrderConfirmed       OrderKind = 2
	OrderReadyToShip     OrderKind = 3
	OrderMarkedShipped   OrderKind = 4
	OrderMarkedDelivered OrderKind = 5
	OrderLabelCreated    OrderKind = 6
	OrderPromiseExtended OrderKind = 7
	OrderCancelRequested OrderKind = 8
	OrderCancelAnswered  OrderKind = 9
	OrderCancelled       OrderKind = 10
	OrderHoliday         OrderKind = 11
)

var orderKindNames = [...]string{
	OrderCreated: "created", OrderConfirmed: "confirmed", OrderReadyToShip: "ready_to_ship",
	OrderMarkedShipped: "marked_shipped", OrderMarkedDelivered: "marked_delivered",
	OrderLabelCreated: "label_created", OrderPromiseExtended: "promise_extended",
	OrderCancelRequested: "cancel_requested", OrderCancelAnswered: "cancel_answered",
	OrderCancelled: "cancelled", OrderHoliday: "holiday",
}

func (k OrderKind) String() string { return name(orderKindNames[:], uint8(k)) }

// Known reports whether k is one of the order facts.
func (k OrderKind) Known() bool { return k > 0 && int(k) < len(orderKindNames) }

// ParseOrderKind returns the kind of a name.
func ParseOrderKind(s string) (OrderKind, error) {
	for k, n := range orderKindNames {
		if n == s && n != "" {
			return OrderKind(k), nil
		}
	}
	return 0, fmt.Errorf("kind %.40q is not an order fact: want one of created, confirmed, ready_to_ship, marked_shipped, marked_delivered, label_created, promise_extended, cancel_requested, cancel_answered, cancelled, holiday", s)
}

// OrderFact is one thing that a shop or marketplace said about an order.
// Times are Unix milliseconds in UTC; 0 means not stated.
type OrderFact struct {
	FactID              ID
	OrderID             string
	ShopID              string
	Market              string // ISO 3166-1 alpha-2 of the marketplace
	Kind                OrderKind
	At                  int64
	Carrier             string
	TrackingNumbers     []string // canonical; on label_created
	LabelSource         string   // platform | seller
	OriginCountry       string
	DestinationCountry  string
	DestinationPostcode string
	PromiseAt           int64
	Until               int64 // end of holiday mode
	Accepted            bool  // answer to a cancel request

	Topic      string
	TopicID    ID
	Partition  int32
	Offset     int64
	ReceivedAt int64
	Backfill   bool
}

// OrderKey is the Kafka key of an order's facts in parcel.events. It cannot
// collide with a tracking number, which has no colon.
func OrderKey(shopID, orderID string) string { return "order:" + shopID + ":" + orderID }
