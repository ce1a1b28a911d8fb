package world

import (
	"strconv"
	"strings"
)

// separate puts a comma before every value but the first.
func (o *output) separate(i int) {
	if i > 0 {
		o.s(",")
	}
}

func (o *output) yunexpress(e emission) {
	p := o.p
	last := codeOf(yunexpress, p.scans[e.i].code)
	status := last.extra
	if status == "" {
		status = "T"
	}
	o.s(`{"waybill_number":"`)
	o.number()
	o.s(`","tracking_number":"","customer_order_number":"`)
	o.b = appendOrderID(o.b, p)
	o.s(`","product_code":"THPHR","origin_country_code":"`, places[p.origin].country, `","country_code":"`,
		places[p.delivery].country, `","package_status":"`, status, `","track_events":[`)
	p.scansOf(e, func(i int, s *scan) {
		at, c := &places[s.place], codeOf(s.feed, s.code)
		wall, off := o.local(s)
		o.separate(i)
		o.s(`{"process_time":"`)
		o.b = appendDateTime(o.b, wall, 'T')
		o.s(`","time_zone":"`)
		o.yunZone(off, p.index)
		o.s(`","track_node_code":"`, c.code, `","process_content":"`, c.text, `","process_location":"`,
			at.city, `","process_country":"`, at.country, `","process_city":"`, at.city, `"}`)
	})
	o.s(`]}`)
}

// yunZone spells an offset in one of the ways that YunExpress does.
func (o *output) yunZone(off int64, index int) {
	switch {
	case off == 8*hour && index%4 == 0: // left out: China
	case index%4 == 1:
		if off >= 0 {
			o.s("+")
		}
		o.b = strconv.AppendInt(o.b, off/hour, 10)
	case index%4 == 2:
		o.s("UTC")
		o.b = appendOffset(o.b, off)
	default:
		o.s("GMT")
		o.b = appendOffset(o.b, off)
	}
}

// fourpx states one time rightly (tkDate) and two more in ways that mislead.
func (o *output) fourpx(e emission) {
	p := o.p
	o.s(`{"result":1,"message":"success","data":[{"queryCode":"`)
	o.number()
	o.s(`","serverCode":"`)
	o.number()
	o.s(`","ctStartCode":"`, places[p.origin].country, `","ctEndCode":"`, places[p.delivery].country,
		`","productCode":"A1","tracks":[`)
	p.scansOf(e, func(i int, s *scan) {
		at, c := &places[s.place], codeOf(s.feed, s.code)
		_, off := o.local(s)
		o.separate(i)
		o.s(`{"tkCode":"`, c.code, `","tkDesc":"`, c.text, `","tkLocation":"`, at.city, `","tkCountryCode":"`,
			at.country, `","tkDate":"`)
		o.b = appendDateTime(o.b, s.stated, 'T')
		o.s(`.000+00:00","tkDateStr":"`)
		o.b = appendDateTime(o.b, s.stated+8*hour, ' ')
		o.s(`","tkTimezone":"UTC`)
		o.b = appendOffset(o.b, off)
		o.s(`","tkCategoryCode":"`, c.extra, `"}`)
	})
	o.s(`]}]}`)
}

func (o *output) cainiao(e emission) {
	p := o.p
	o.s(`{"module":[{"mailNo":"`)
	o.number()
	o.s(`","copyRealMailNo":"","originCountryCode":"`, places[p.origin].country, `","destCountryCode":"`,
		places[p.delivery].country, `","status":"`, codeOf(cainiao, p.scans[e.i].code).extra,
		`","mailType":"STD","detailList":[`)
	p.scansOf(e, func(i int, s *scan) {
		c := codeOf(s.feed, s.code)
		o.separate(i)
		o.s(`{"time":`)
		o.b = strconv.AppendInt(o.b, s.stated*1000, 10)
		o.s(`,"timeStr":"`)
		o.b = appendDateTime(o.b, s.stated+8*hour, ' ')
		o.s(`","timeZone":"GMT+8","desc":"`, c.text, `","standerdDesc":"`, c.text, `","actionCode":"`, c.code,
			`","location":"","countryCode":"`, places[s.place].country, `"}`)
	})
	o.s(`]}],"success":true}`)
}

// track17 sends single events as webhooks and several as answers.
func (o *output) track17(e emission) {
	p := o.p
	if e.kind == emitAll {
		o.s(`{"code":0,"data":{"accepted":[{"number":"`)
	} else {
		o.s(`{"event":"TRACKING_UPDATED","data":{"number":"`)
	}
	o.number()
	o.s(`","carrier":3011,"track_info":{"shipping_info":{"shipper_address":{"country":"`, places[p.origin].country,
		`"},"recipient_address":{"country":"`, places[p.delivery].country,
		`"}},"tracking":{"providers":[{"provider":{"key":3011,"name":"China Post"},"events":[`)
	p.scansOf(e, func(i int, s *scan) {
		o.separate(i)
		o.track17Event(s)
	})
	o.s(`]}]}}`)
	if e.kind == emitAll {
		o.s(`}],"rejected":[]}}`)
	} else {
		o.s(`}}`)
	}
}

func (o *output) track17Event(s *scan) {
	at, c := &places[s.place], codeOf(s.feed, s.code)
	wall, off := o.local(s)
	o.s(`{"time_iso":"`)
	o.b = appendDateTime(o.b, wall, 'T')
	o.b = appendOffset(o.b, off)
	o.s(`","time_utc":"`)
	o.b = appendDateTime(o.b, s.stated, 'T')
	o.s(`Z","time_raw":{"date":"`)
	o.b = appendDate(o.b, wall, "-")
	o.s(`","time":"`)
	o.b = appendClock(o.b, wall, ":")
	o.s(`","timezone":"`)
	o.b = appendOffset(o.b, off)
	o.s(`"},"description":"`, c.text, `","location":"`, at.city, `","stage":`)
	o.orNull(c.extra)
	o.s(`,"sub_status":"`, c.code, `","address":{"country":"`, at.country, `","state":null,"city":"`, at.city,
		`","postal_code":null}}`)
}

func (o *output) orNull(s string) {
	if s == "" {
		o.s("null")
		return
	}
	o.s(`"`, s, `"`)
}

func (o *output) usps(e emission) {
	p := o.p
	dest, status := &places[p.delivery], codeOf(usps, p.scans[e.i].code).text
	o.s(`{"trackingNumber":"`)
	o.number()
	o.s(`","destinationCity":"`, dest.city, `","destinationState":"`, dest.region, `","destinationZIP":"`, dest.postcode,
		`","emailEnabled":"true","kahalaIndicator":"false","mailClass":"First-Class Package International Service",`+
			`"mailType":"INT","originCountry":"CN","serviceTypeCode":"346","status":"`, status, `","statusCategory":"In Transit",`+
			`"tableCode":"T","uniqueMailPieceID":"`)
	o.b = appendDigits(o.b, uint64(p.index), 9)
	o.s(`","trackingEvents":[`)
	p.scansOf(e, func(i int, s *scan) {
		at, c := &places[s.place], codeOf(s.feed, s.code)
		wall, off := o.local(s)
		o.separate(i)
		o.s(`{"eventType":"`, c.text, `","eventTimestamp":"`)
		o.b = appendDateTime(o.b, wall, 'T')
		o.s(`","GMTTimestamp":"`)
		o.b = appendDateTime(o.b, s.stated, 'T')
		o.s(`Z","GMTOffset":"`)
		o.b = appendOffset(o.b, off)
		o.s(`","eventCountry":null,"eventCity":"`, at.city, `","eventState":"`, at.region, `","eventZIP":"`, at.postcode,
			`","firm":null,"name":null,"authorizedAgent":"false","eventCode":"`, c.code, `","additionalProp":null}`)
	})
	o.s(`]}`)
}

func (o *output) royalmail(e emission) {
	p := o.p
	s := &p.scans[e.i]
	c := codeOf(royalmail, s.code)
	from, to := &places[p.origin], &places[p.delivery]
	o.s(`{"mailPieces":{"mailPieceId":"`)
	o.number()
	o.s(`","carrierShortName":"RM","carrierFullName":"Royal Mail Group Ltd","summary":{"uniqueItemId":"`)
	o.number()
	o.s(`","oneDBarcode":"`)
	o.number()
	o.s(`","productId":"TPN","productName":"Tracked 24","destinationCountryCode":"`, to.alpha3,
		`","destinationCountryName":"`, to.name, `","originCountryCode":"`, from.alpha3, `","originCountryName":"`, from.name,
		`","lastEventCode":"`, c.code, `","lastEventName":"`, c.text, `","lastEventDateTime":"`)
	o.zoned(s)
	o.s(`","lastEventLocationName":"`, places[s.place].city, ` DO","statusCategory":"IN TRANSIT"},"events":[`)
	p.scansOf(e, func(i int, s *scan) {
		c := codeOf(s.feed, s.code)
		o.separate(i)
		o.s(`{"eventCode":"`, c.code, `","eventName":"`, c.text, `","eventDateTime":"`)
		o.zoned(s)
		o.s(`","locationName":"`, places[s.place].city, ` DO"}`)
	})
	o.s(`]}}`)
}

// zoned appends 2026-10-01T08:12:33+01:00.
func (o *output) zoned(s *scan) {
	wall, off := o.local(s)
	o.b = appendDateTime(o.b, wall, 'T')
	o.b = appendOffset(o.b, off)
}

// ups sends one activity in a message.
func (o *output) ups(e emission) {
	s := &o.p.scans[e.i]
	at, c := &places[s.place], codeOf(ups, s.code)
	wall, _ := o.local(s)
	o.s(`{"trackingNumber":"`)
	o.number()
	o.s(`","localActivityDate":"`)
	o.b = appendDate(o.b, wall, "")
	o.s(`","localActivityTime":"`)
	o.b = appendClock(o.b, wall, "")
	o.s(`","activityLocation":{"city":"`, at.city, `","stateProvince":"`, at.region, `","postalCode":"`, at.postcode,
		`","country":"`, at.country, `"},"activityStatus":{"type":"`, c.extra, `","code":"`, c.code, `","description":"`,
		c.text, `","descriptionCode":"005"},"gmtActivityDate":"`)
	o.b = appendDate(o.b, s.stated, "")
	o.s(`","gmtActivityTime":"`)
	o.b = appendClock(o.b, s.stated, "")
	o.s(`","deliveryTimeDescription":"end of day"}`)
}

func (o *output) fedex(e emission) {
	p := o.p
	from, to := &places[p.origin], &places[p.delivery]
	o.s(`{"transactionId":"`)
	o.b = appendDigits(o.b, uint64(p.index), 12)
	o.s(`","output":{"completeTrackResults":[{"trackingNumber":"`)
	o.number()
	o.s(`","trackResults":[{"trackingNumberInfo":{"trackingNumber":"`)
	o.number()
	o.s(`","trackingNumberUniqueId":"12028~`)
	o.number()
	o.s(`~FDEG","carrierCode":"FDXG"},"shipperInformation":{"address":{"city":"`, from.city, `","stateOrProvinceCode":"`,
		from.region, `","countryCode":"`, from.country, `"}},"recipientInformation":{"address":{"city":"`, to.city,
		`","stateOrProvinceCode":"`, to.region, `","countryCode":"`, to.country, `"}},"scanEvents":[`)
	p.scansOf(e, func(i int, s *scan) {
		at, c := &places[s.place], codeOf(s.feed, s.code)
		o.separate(i)
		o.s(`{"date":"`)
		o.zoned(s)
		o.s(`","eventType":"`, c.code, `","eventDescription":"`, c.text,
			`","exceptionCode":"","exceptionDescription":"","scanLocation":{"streetLines":[""],"city":"`, at.city,
			`","stateOrProvinceCode":"`, at.region, `","postalCode":"`, at.postcode, `","countryCode":"`, at.country,
			`","residential":false,"countryName":"`, at.name, `"},"locationType":"`, c.extra,
			`","derivedStatusCode":"IT","derivedStatus":"In transit"}`)
	})
	o.s(`]}]}]}}`)
}

// appendNotFound appends the answer for a number that the carrier does not
// know, and returns nil where no such answer of the carrier is known.
func appendNotFound(b []byte, p *plan, f feed) []byte {
	body := notFound[f]
	if body == "" {
		return nil
	}
	before, after, hasNumber := strings.Cut(body, "#")
	b = append(b, before...)
	if hasNumber {
		b = append(b, p.Number()...)
	}
	return append(b, after...)
}

// notFound has the tracking number in place of #.
var notFound = [feeds]string{
	fourpx: `{"result":0,"message":"no tracking information for #","data":[]}`,
	usps: `<?xml version="1.0" encoding="UTF-8"?><TrackResponse><TrackInfo ID="#"><Error><Number>-2147219302</Number>` +
		`<Description>No tracking information could be located.</Description><HelpFile/><HelpContext/></Error></TrackInfo></TrackResponse>`,
	canadapost: `<?xml version="1.0" encoding="UTF-8"?><messages xmlns="http://www.canadapost.ca/ws/messages"><message>` +
		`<code>004</code><description>No Pin History</description></message></messages>`,
	dhlExpress: `<?xml version="1.0" encoding="UTF-8"?><res:TrackingResponse xmlns:res="http://www.dhl.com"><AWBInfo>` +
		`<AWBNumber>#</AWBNumber><Status><ActionStatus>No Shipments Found</ActionStatus><Condition><ConditionCode>103</ConditionCode>` +
		`<ConditionData>No Shipments Found</ConditionData></Condition></Status></AWBInfo></res:TrackingResponse>`,
	ups: `{"response":{"errors":[{"code":"TV1002","message":"Invalid inquiry number"}]}}`,
}
