package world

import "strconv"

// uspsXML states local times to the minute and no zone.
func (o *output) uspsXML(e emission) {
	p := o.p
	dest := &places[p.delivery]
	o.s(`<?xml version="1.0" encoding="UTF-8"?><TrackResponse><TrackInfo ID="`)
	o.number()
	o.s(`"><Class>First-Class Package International Service</Class><DestinationCity>`, dest.city,
		`</DestinationCity><DestinationState>`, dest.region, `</DestinationState><DestinationZip>`, dest.postcode,
		`</DestinationZip><DestinationCountryCode>US</DestinationCountryCode><OriginCountryCode>CN</OriginCountryCode><StatusCategory>In Transit</StatusCategory>`)
	p.scansOf(e, func(i int, s *scan) {
		tag := "TrackDetail"
		if i == 0 {
			tag = "TrackSummary"
		}
		at, c := &places[s.place], codeOf(s.feed, s.code)
		wall, _ := o.local(s)
		o.s(`<`, tag, `><EventTime>`)
		o.twelveHours(wall)
		o.s(`</EventTime><EventDate>`)
		y, m, d := civil(wall / day)
		o.s(monthNames[m-1], " ")
		o.b = strconv.AppendInt(o.b, d, 10)
		o.s(", ")
		o.b = append4(o.b, y)
		o.s(`</EventDate><Event>`, c.text, `</Event><EventCity>`, at.city, `</EventCity><EventState>`, at.region,
			`</EventState><EventZIPCode>`, at.postcode, `</EventZIPCode><EventCountry/><FirmName/><Name/>`+
				`<AuthorizedAgent>false</AuthorizedAgent><EventCode>`, c.code, `</EventCode></`, tag, `>`)
	})
	o.s(`</TrackInfo></TrackResponse>`)
}

// twelveHours appends 9:01 am.
func (o *output) twelveHours(wall int64) {
	h := wall % day / hour
	half := " am"
	if h >= 12 {
		half = " pm"
	}
	if h %= 12; h == 0 {
		h = 12
	}
	o.b = strconv.AppendInt(o.b, h, 10)
	o.s(":")
	o.b = append2(o.b, wall%hour/minute)
	o.s(half)
}

// canadapost states local times with the abbreviation of their zone.
func (o *output) canadapost(e emission) {
	p := o.p
	o.s(`<?xml version="1.0" encoding="UTF-8"?><tracking-detail xmlns="http://www.canadapost.ca/ws/track"><pin>`)
	o.number()
	o.s(`</pin><active-exists>1</active-exists><archive-exists/><destination-postal-id>`, places[p.delivery].postcode,
		`</destination-postal-id><service-name>Tracked Packet - International</service-name><original-pin/><return-pin/><significant-events>`)
	p.scansOf(e, func(_ int, s *scan) {
		at, c := &places[s.place], codeOf(s.feed, s.code)
		wall, off := o.local(s)
		o.s(`<occurrence><event-identifier>`, c.code, `</event-identifier><event-date>`)
		o.b = appendDate(o.b, wall, "-")
		o.s(`</event-date><event-time>`)
		o.b = appendClock(o.b, wall, ":")
		o.s(`</event-time><event-time-zone>`, northAmerican(at.zone, off), `</event-time-zone><event-description>`, c.text,
			`</event-description><signatory-name/><event-site>`, at.city, `</event-site><event-province>`, at.region,
			`</event-province><event-retail-location-id/><event-retail-name/></occurrence>`)
	})
	o.s(`</significant-events></tracking-detail>`)
}

func northAmerican(z zone, off int64) string {
	switch {
	case z == zonePacific && off == standard[zonePacific]:
		return "PST"
	case z == zonePacific:
		return "PDT"
	case off == standard[zoneEastern]:
		return "EST"
	}
	return "EDT"
}

// dhlExpress states local times of the service area, without a zone.
func (o *output) dhlExpress(e emission) {
	p := o.p
	from, to := &places[p.origin], &places[p.delivery]
	o.s(`<?xml version="1.0" encoding="UTF-8"?><req:TrackingResponse xmlns:req="http://www.dhl.com"><Response><ServiceHeader>` +
		`<MessageReference>`)
	o.b = appendDigits(o.b, uint64(p.index), 28)
	o.s(`</MessageReference></ServiceHeader></Response><AWBInfo><AWBNumber>`)
	o.number()
	o.s(`</AWBNumber><Status><ActionStatus>success</ActionStatus></Status><ShipmentInfo>`)
	o.area("OriginServiceArea", from)
	o.area("DestinationServiceArea", to)
	o.s(`<Pieces>1</Pieces><GlobalProductCode>P</GlobalProductCode><Shipper><City>`, from.city, `</City><CountryCode>`, from.country,
		`</CountryCode></Shipper><Consignee><City>`, to.city, `</City><PostalCode>`, to.postcode, `</PostalCode><CountryCode>`, to.country,
		`</CountryCode></Consignee>`)
	p.scansOf(e, func(_ int, s *scan) {
		wall, _ := o.local(s)
		o.s(`<ShipmentEvent><Date>`)
		o.b = appendDate(o.b, wall, "-")
		o.s(`</Date><Time>`)
		o.b = appendClock(o.b, wall, ":")
		o.s(`</Time><ServiceEvent><EventCode>`, codeOf(s.feed, s.code).code, `</EventCode><Description>`)
		o.text(s)
		o.s(`</Description></ServiceEvent><Signatory/>`)
		o.area("ServiceArea", &places[s.place])
		o.s(`</ShipmentEvent>`)
	})
	o.s(`</ShipmentInfo></AWBInfo><LanguageCode>en</LanguageCode></req:TrackingResponse>`)
}

func (o *output) area(tag string, at *place) {
	o.s(`<`, tag, `><ServiceAreaCode>`, at.area, `</ServiceAreaCode><Description>`, at.city, ` - `, at.name, `</Description></`, tag, `>`)
}
