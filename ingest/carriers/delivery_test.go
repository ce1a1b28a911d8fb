package carriers

import (
	"strings"
	"testing"

	"scantrail/schemas"
)

// TestDeliveryPhrases asks the lexicon how parcels were delivered, in each
// language. "" stands for a sentence that does not tell.
func TestDeliveryPhrases(t *testing.T) {
	x := &load(t).lexicon
	for sentence, want := range map[string]string{
		"Delivered": "", "Parcel delivered in good condition": "", "已签收": "", "Paket telah diterima": "", "delivered by agent 12": "", "Delivered in GARDEN CITY, NY": "", "Delivered by a third party carrier": "",
		"Delivered, In/At Mailbox":                                      schemas.ToMailbox,
		"Delivered, Front Desk/Reception/Mail Room":                     schemas.ToReception,
		"Delivered to neighbour at no. 4, signed for by":                schemas.ToNeighbour,
		"Delivered to recipient's neighbor":                             schemas.ToNeighbour,
		"Left in a safe place as requested":                             schemas.ToSafePlace,
		"Delivered, PO Box":                                             schemas.ToMailbox,
		"The recipient has picked up the shipment from the PACKSTATION": schemas.ByLocker,
		"Collected by customer at the parcel shop":                      schemas.ByPickupPoint,
		"Delivered to recipient, signed by":                             schemas.Signed,
		"Delivered without signature, no signature required":            "",
		"Delivered to the consignee":                                    schemas.ToRecipient,
		"Delivered, Left with Individual":                               schemas.ToRecipient,
		"Die Sendung wurde dem Nachbarn übergeben":                      schemas.ToNeighbour,
		"Die Sendung wurde am Wunschort abgelegt":                       schemas.ToSafePlace,
		"Zugestellt an bevollmächtigte Person":                          schemas.ToAgent,
		"In den Briefkasten eingelegt":                                  schemas.ToMailbox,
		"Votre colis a été remis à votre voisin":                        schemas.ToNeighbour,
		"Colis livré au gardien ou à l'accueil":                         schemas.ToReception,
		"Livré dans la boîte aux lettres":                               schemas.ToMailbox,
		"Accusé de réception reçu, livré":                               "",
		"Retiré par le destinataire en bureau de poste":                 schemas.ByPickupPoint,
		"Entregado en buzón":                                            schemas.ToMailbox,
		"Entregado a un vecino":                                         schemas.ToNeighbour,
		"Entregado al destinatario":                                     schemas.ToRecipient,
		"Consegnato al vicino di casa":                                  schemas.ToNeighbour,
		"Consegnato in portineria":                                      schemas.ToReception,
		"Bezorgd bij de buren":                                          schemas.ToNeighbour,
		"Bezorgd in de brievenbus":                                      schemas.ToMailbox,
		"Pakket is afgehaald":                                           schemas.ByPickupPoint,
		"Objeto entregue na portaria":                                   schemas.ToReception,
		"Objeto entregue ao destinatário":                               schemas.ToRecipient,
		"Вручено адресату почтальоном":                                  schemas.ToRecipient,
		"Получено в почтомате":                                          schemas.ByLocker,
		"Paket diterima oleh tetangga":                                  schemas.ToNeighbour,
		"Diterima oleh yang bersangkutan":                               schemas.ToRecipient,
		"Đã giao cho bảo vệ":                                            schemas.ToReception,
		"Đã giao cho hàng xóm":                                          schemas.ToNeighbour,
		"จัดส่งสำเร็จ ฝากไว้กับเพื่อนบ้าน": schemas.ToNeighbour,
		"本人签收": schemas.ToRecipient, "已放门口": schemas.ToSafePlace, "保安签收": schemas.ToReception, "从丰巢快递柜取件": schemas.ByLocker,
	} {
		got := ""
		if i := x.deliveryKind(appendNormal(nil, sentence)); i >= 0 {
			got = x.kinds[i]
		}
		if got != want {
			t.Errorf("%q: %q, want %q", sentence, got, want)
		}
	}
}

// TestDeliveryKinds reads delivered events whose code, reason field or text says
// how, in this order.
func TestDeliveryKinds(t *testing.T) {
	d := load(t).NewDecoder(Limits{})
	const (
		aftership = `{"msg":{"tracking_number":"AC10020030","checkpoints":[{"subtag":"SUBTAG","tag":"Delivered","message":"TEXT","checkpoint_time":"2026-03-04T10:00:00Z"}]}}`
		seko      = `{"ConsignmentNo":"AC10020030","Events":[{"OmniCode":"SUBTAG","Description":"TEXT","EventDT":"2026-03-04T10:00:00"}]}`
		ups       = `{"trackResponse":{"shipment":[{"package":[{"trackingNumber":"AC10020030","deliveryInformation":{"location":"SUBTAG"},` +
			`"activity":[{"date":"20260304","time":"100000","gmtOffset":"+00:00","status":{"type":"TYPE","description":"TEXT"}}]}]}]}}`
		fedex = `{"output":{"completeTrackResults":[{"trackResults":[{"trackingNumberInfo":{"trackingNumber":"AC10020030"},"scanEvents":[` +
			`{"date":"2026-03-04T10:00:00+00:00","eventType":"DL","eventDescription":"Delivered","exceptionCode":"SUBTAG","exceptionDescription":"TEXT"}]}]}]}}`
	)
	for _, tt := range []struct{ carrier, record, code, text, want string }{
		{"aftership", aftership, "Delivered_001", "Delivered", "delivered "},
		{"aftership", aftership, "Delivered_001", "Delivered to neighbour", "delivered neighbour"},
		{"aftership", aftership, "Delivered_002", "", "delivered pickup_point"},
		{"aftership", aftership, "Delivered_003", "Delivered", "delivered signed"},
		{"aftership", aftership, "Delivered_005", "Delivered, mailbox", "delivered neighbour"},
		{"aftership", aftership, "Delivered_005", "Available for pickup at the parcel shop", "available_for_pickup "},
		{"seko", seko, "OP-73", "Delivered", "delivered neighbour"},
		{"seko", seko, "OP-74", "Delivered", "delivered safe_place"},
		{"seko", seko, "OP-72", "Delivered, reception", "delivered reception"},
		{"seko", seko, "OP-76", "Delivered to locker", "available_for_pickup "},
		{"ups", strings.Replace(ups, "TYPE", "D", 1), "FRONT DOOR", "DELIVERED", "delivered safe_place"},
		{"ups", strings.Replace(ups, "TYPE", "D", 1), "DEL", "DELIVERED", "delivered "},
		{"ups", strings.Replace(ups, "TYPE", "D", 1), "", "Delivered to UPS Access Point", "available_for_pickup "},
		{"ups", strings.Replace(ups, "TYPE", "I", 1), "FRONT DOOR", "Arrived at Facility", "in_transit "},
		{"fedex", fedex, "", "Left at front door. Signature Service not requested.", "delivered safe_place"},
		{"fedex", fedex, "08", "", "delivered "}, // the reason of an exception is none of a delivery
	} {
		raw := strings.NewReplacer("SUBTAG", tt.code, "TEXT", tt.text).Replace(tt.record)
		r := d.Decode(tt.carrier, []byte(raw), Source{})
		if len(r.Events) != 1 {
			t.Errorf("%s %s: %s", tt.carrier, tt.code, describe(r))
			continue
		}
		if got := r.Events[0].Milestone.String() + " " + r.Events[0].Reason; got != tt.want {
			t.Errorf("%s %s %q: %s, want %s", tt.carrier, tt.code, tt.text, got, tt.want)
		}
	}
	r := d.Decode("nobody", []byte(`{"tracking_number":"AC10020030","events":[{"time":"2026-03-04T10:00:00Z","text":"Delivered to the neighbour"}]}`), Source{})
	if len(r.Events) != 1 || r.Events[0].Reason != schemas.ToNeighbour {
		t.Errorf("generic: %s", describe(r))
	}
}

// TestDeliveryReasonsOfMappings: the two lists of reasons do not mix.
func TestDeliveryReasonsOfMappings(t *testing.T) {
	const mapping = "carrier: x\nversion: 1\ntitle: X\nsource: s\nlayouts:\n  - {name: a, format: json, when: n, parcels: ., number: n, events: e, event: {code: c, time: {value: t, layout: iso}}}\ncodes:\n  A: "
	for reason, want := range map[string]string{
		"{milestone: delivered, reason: neighbour}":           "",
		"{milestone: delivered, reason: consignee_refused}":   "how a parcel was delivered: want one of neighbour",
		"{milestone: held, reason: locker}":                   "which held is not",
		"{milestone: customs_held, reason: customs_delay}":    "",
		"{milestone: facility_arrived, reason: pickup_point}": "which facility_arrived is not",
	} {
		_, _, err := LoadMapping(schemas.Carriers, "x.yaml", []byte(mapping+reason))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", reason, err, want)
		}
	}
}
