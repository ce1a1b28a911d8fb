package importer

// Places of the fields of orders in orderFields.
const (
	orderID = iota
	orderShop
	orderMarket
	orderKind
	orderAt
	orderCarrier
	orderNumbers
	orderSource
	orderOrigin
	orderDestination
	orderPostcode
	orderPromise
	orderUntil
	orderAccepted
	orderCreated
	orderConfirmed
	orderReady
	orderLabel
	orderShipped
	orderDelivered
	orderExtended
	orderExtendedTo
	orderCancelRequested
	orderCancelAnswered
	orderCancelAccepted
	orderCancelled
)

// orderFields are the columns of a file of orders, with the names that exports of
// shops and ERPs give them.
var orderFields = []field{
	orderID:          {"order_id", []string{"order", "ordernumber", "orderno", "ordersn", "name", "amazonorderid", "orderreference", "订单号", "订单编号", "平台订单号"}},
	orderShop:        {"shop_id", []string{"shop", "shopname", "store", "storeid", "storename", "seller", "sellerid", "店铺", "店铺id", "店铺名称"}},
	orderMarket:      {"market", []string{"marketplace", "marketcountry", "saleschannel", "站点"}},
	orderKind:        {"kind", nil},
	orderAt:          {"at", nil},
	orderCarrier:     {"carrier", []string{"shippingprovider", "shippingprovidername", "shippingcarrier", "carriername", "courier", "logistics", "物流公司", "物流商", "承运商"}},
	orderNumbers:     {"tracking_numbers", []string{"trackingnumber", "trackingno", "trackingid", "trackingcode", "waybill", "waybillno", "awb", "运单号", "物流单号", "快递单号", "跟踪号"}},
	orderSource:      {"label_source", []string{"labelby"}},
	orderOrigin:      {"origin_country", []string{"shipfromcountry", "origin", "发货国家"}},
	orderDestination: {"destination_country", []string{"shippingcountry", "shipcountry", "shiptocountry", "country", "countrycode", "国家", "收件国家", "目的国"}},
	orderPostcode:    {"destination_postcode", []string{"shippingzip", "shippingpostcode", "shippostalcode", "shiptopostcode", "zip", "zipcode", "postcode", "postalcode", "邮编"}},
	orderPromise:     {"promise_at", []string{"promisedate", "promiseddelivery", "deliverby", "latestdeliverydate", "estimateddelivery", "承诺送达时间"}},
	orderUntil:       {"until", nil},
	orderAccepted:    {"accepted", nil},
	orderCreated: {"created_at", []string{"created", "createdtime", "creationdate", "orderdate", "ordertime", "orderedat", "orderplaced", "purchasedate",
		"下单时间", "订单创建时间", "创建时间"}},
	orderConfirmed:       {"confirmed_at", []string{"confirmed", "confirmtime", "acceptedat", "确认时间", "审单时间"}},
	orderReady:           {"ready_to_ship_at", []string{"readytoship", "rtstime", "packedat", "packedtime", "打包时间"}},
	orderLabel:           {"label_created_at", []string{"labelcreated", "labeltime", "labelprintedat", "面单时间", "打单时间"}},
	orderShipped:         {"shipped_at", []string{"shipped", "shippedtime", "shipdate", "shipmentdate", "fulfilledat", "dispatchedat", "markedshippedat", "发货时间"}},
	orderDelivered:       {"delivered_at", []string{"delivered", "deliveredtime", "deliverydate", "markeddeliveredat", "签收时间", "妥投时间"}},
	orderExtended:        {"promise_extended_at", nil},
	orderExtendedTo:      {"promise_extended_to", nil},
	orderCancelRequested: {"cancel_requested_at", []string{"cancelrequested", "cancelrequesttime"}},
	orderCancelAnswered:  {"cancel_answered_at", nil},
	orderCancelAccepted:  {"cancel_accepted", nil},
	orderCancelled:       {"cancelled_at", []string{"cancelled", "canceledat", "cancelledtime", "canceledtime", "取消时间"}},
}

// Places of the fields of scans in scanFields: those of carriers.RowFields, then
// the carrier.
const (
	scanNumber = iota
	scanAt
	scanCode
	scanText
	scanCountry
	scanRegion
	scanCity
	scanPostcode
	scanFacility
	scanLocation
	scanOrigin
	scanDestination
	scanProduct
	scanCarrier
)

// scanFields are the columns of a file of scans.
var scanFields = []field{
	scanNumber:      {"tracking_number", []string{"trackingno", "trackingid", "trackingcode", "waybill", "waybillno", "awb", "parcelnumber", "运单号", "物流单号", "快递单号", "跟踪号"}},
	scanAt:          {"occurred_at", []string{"time", "timestamp", "datetime", "eventtime", "eventdate", "eventdatetime", "scantime", "statustime", "date", "时间", "轨迹时间"}},
	scanCode:        {"code", []string{"statuscode", "eventcode", "scancode", "状态码", "轨迹代码"}},
	scanText:        {"text", []string{"status", "description", "event", "eventdescription", "statusdescription", "message", "detail", "details", "状态", "轨迹", "轨迹内容"}},
	scanCountry:     {"country", []string{"countrycode", "eventcountry", "国家"}},
	scanRegion:      {"region", []string{"state", "province", "省"}},
	scanCity:        {"city", []string{"eventcity", "town", "城市"}},
	scanPostcode:    {"postcode", []string{"zip", "zipcode", "postalcode", "邮编"}},
	scanFacility:    {"facility", []string{"depot", "hub", "facilityname", "facilitycode", "站点", "网点"}},
	scanLocation:    {"location", []string{"place", "eventlocation", "scanlocation", "地点"}},
	scanOrigin:      {"origin_country", []string{"origin", "shipfromcountry", "发货国家"}},
	scanDestination: {"destination_country", []string{"destination", "shiptocountry", "目的国", "收件国家"}},
	scanProduct:     {"product", []string{"service", "servicename", "产品"}},
	scanCarrier:     {"carrier", []string{"carriername", "courier", "物流公司", "物流商", "承运商"}},
}

// Fields lists the columns of a kind of file by their own names.
func Fields(k Kind) (names []string) {
	for _, f := range fieldsOf(k) {
		names = append(names, f.name)
	}
	return names
}

func fieldsOf(k Kind) []field {
	if k == Scans {
		return scanFields
	}
	return orderFields
}
