// Package carriers turns what carriers send, as it is, into canonical events.
// A carrier is one YAML file, compiled at load to a plan of where things stand;
// there is no Go code for any carrier. Formats are JSON, XML, CSV, EDIFACT and
// X12; all are read into one tree, in one pass, validated and bounded (Limits).
//
// # A mapping
//
//	carrier: examplepost        # name: lower-case letters, digits, underscores
//	version: 1                  # rises with every change of meaning
//	title: Example Post
//	source: where the list of codes comes from
//	unverified: [DL, R*]        # codes whose meaning no source tells: general knowledge
//	unverified_layouts: [refusal]  # written without an answer of the carrier
//	zone: [location, Europe/Paris]  # how local times without a zone are read
//	number_format: [s10]        # what numbers are checked by; see Numbers
//	layouts:
//	  - name: webhook           # one per form of message, first that fits
//	    format: json            # json | xml | csv | edifact | x12
//	    when: shipment          # condition(s) on the record that tell the form
//	    parcels: shipment       # path to the parcels
//	    number: [trackingNo, ^.reference]   # candidates, first valid one
//	    aliases: [lastMile.number]          # other numbers of the same parcel
//	    origin: from.country
//	    destination: to.country
//	    product: service.name
//	    events: scans           # path from a parcel to its events; "." is itself
//	    event:
//	      code: ["{type}/{code}", code]
//	      text: [description, status]
//	      time:
//	        - {value: "{date} {time}", layout: YYYY-MM-DD HH:mm, zone: "{tz}"}
//	      country: place.country
//	      city: {value: place.name, before: ","}
//	      skip: {path: reached, is: ["false"]}
//	    errors:
//	      - {when: {path: error.code, is: ["404"]}, reason: not_found, code: error.code, text: error.message}
//	codes:
//	  PU: accepted
//	  "10": {milestone: facility_arrived, text: true}
//	  RT*: return_started       # all codes that begin so
//	texts:
//	  - {match: ["returned * sender"], milestone: returned}
//
// # Paths
//
// A path is keys with dots between them. Arrays, and in XML repeated elements,
// are walked through without being named, so that a list and the single object
// that some carriers collapse it to are the same. "^.key" starts at the object
// around the parcel or event, "/key" at the record, "." is the object itself,
// "*" any key, "a[type=X].b" only those a whose type is X; a dot inside a key is
// written "\.". XML names are local names; an attribute is "@name"; the name of
// the root element is the first key.
//
// Where parcels are not objects but numbers alone, parcels is the path to these,
// number is "." and events is "^": the object around each is its one event. "$key"
// is the key of the raw record in Kafka.
//
// # Formats without nesting
//
// csv: a record is rows; each is an object of its cells. columns names them,
// else the first row does; delimiter is one character or tab, else a comma.
//
// edifact, x12: a segment is an object by its tag, its elements are "1", "2",
// ... and the components of an element from the second on "1-2", "1-3":
// DTM[1=334].1-2 is the value of the DTM segment with the qualifier 334. groups
// says which segments nest: [UNH, CNI, STS, [TDT, EQD]] puts what follows an STS
// into it, up to the next of its level or of one before it. Separators are those
// of UNA or ISA, else the usual ones. All records must be UTF-8; an interchange of
// the syntax UNOC may be ISO 8859-1.
//
// # Fields
//
// A field is a path, a template ("{date} {time}"), or a mapping with value and
// what of it counts, or a list of these, of which the first that is not empty
// counts (of a country, the first that names one). What counts, in this order:
// after keeps what follows the last occurrence of the first of its strings that
// stands there; before what precedes the first of any; split and part take one
// of a list, counted from 1 or backwards from -1, with of only when it has so
// many; first keeps so many characters; is lets only these values pass, then
// puts another in their place; map looks the value up, and one that it lacks is
// empty; shape lets only such values pass (# a digit, @ a letter, ? either); epc
// takes the number out of an EPC URN or a GS1 Digital Link. default counts when
// all is empty. null, "" and the placeholder "string" (and those in
// placeholders) are empty. Names, signatures and street lines have no field:
// they are not read.
//
// An alias is a path of which every value counts, or a mapping as above for one
// path, also with when: conditions at the parcel.
//
// # Codes and texts
//
// Every alternative of code is looked up in codes, in order. The raw code of
// the event is the first alternative that is one field alone. A meaning is a
// milestone, or {milestone, physical, progress, direction, reason, fault, leg, at,
// text}. With text: true the code alone does not decide: first the mapping's
// texts, then the shared lexicon, then the code; text: patterns leaves the
// lexicon out; text_first: true at the top is text: true for all codes. An
// unknown code is decided by texts and lexicon, else it is unmapped: kept, and
// neither physical nor progress. The code "" is that of events that state none.
// What a code says of at, of leg, and of the reason of a delivery is true although
// a text decides, unless the pattern says otherwise. In match, "*" stands for anything and words are compared whole, without case
// and punctuation; codes limits a pattern to some codes. at: origin or
// destination places an event that names no country at that end of the lane.
//
// Beside the milestones of package schemas there are customs_started,
// customs_held, customs_cleared and customs_rejected, for carriers that do not
// tell export from import: the country of the event against the lane decides,
// then the text, then the other events of the record (direction_source). And
// facility_arrived and facility_departed, which become the origin's, the
// destination's or a hub's by the country; within one country, in_transit.
//
// # Reasons
//
// An exception's reason says why, its fault who caused it: from the code or
// pattern that decided, from the event's reason field through the table reasons,
// else from the phrases of the lexicon in that field, then in the text. The reason of a delivered event says how
// it was delivered, from a closed list (schemas.DeliveryKinds): neighbour,
// safe_place, mailbox, reception, agent, locker, pickup_point, signed,
// to_recipient; from the code or pattern, from the table reasons, else from the
// phrases (deliveries in the lexicon) of the reason field, then of the text. No
// other reason stands on a delivered event, and none of these on another.
//
// # Legs
//
// leg numbers the carriers of the chain, from 1, as the source tells them apart:
// by the code (leg of a meaning, or legs: {1: [PU_*], 2: [GTMS_*]} for many), by
// a field of the event with a digit, or, with leg: order, by the place of the
// object around the event in its list, where a source lists carriers in their
// order. 0 is unknown. A consolidator's own scans, wherever they happen, are leg
// 1, those of the carrier it hands over to leg 2. Legs compare within one parcel
// of one source only: the first leg of a last-mile carrier's own feed may be the
// second of an aggregator's, and one carrier may count two legs as one.
//
// # The way back
//
// Where codes tell the way back, they mean return_in_transit and returned
// themselves. returns are conditions at the parcel, any of which says that it is
// returned as a whole: then what comes after its first return event in time
// counts as the way back: delivered becomes returned, other physical scans
// return_in_transit. Without such a word of the carrier a delivery after
// return_started stays one: a return can be called off.
//
// # Times
//
// Each time has exact layouts; day and month are never guessed. Named ones are
// rfc3339 (offset required), iso (offset optional), epoch_s, epoch_ms,
// json_date (/Date(ms)/) and dotnet_ticks. Patterns have the tokens YYYY MM M
// MMMM (name) DD D HH H hh h mm ss .SSS (optional fraction) A (am, pm) Z
// (offset, UTC, Z) z (abbreviation), other letters in single quotes. zone is
// utc, an IANA name, or a template of the field that names the zone: an offset,
// an IANA name, or an abbreviation of the mapping's abbreviations table; any
// other is bad_time. local names the local time beside a UTC one, for the
// offset. Where nothing names a zone, the carrier's zone rules are tried in
// order: location (the facilities table, then state, then country where it has
// one zone), utc, an IANA name, or {zone, uncertainty_hours}. Without any, the
// time counts as UTC with an uncertainty of 14 h. A date without a time of day
// is midnight with an uncertainty of 24 h. An offset that is not that of the
// event's country makes the difference the uncertainty.
//
// abbreviations maps a name to an offset, an IANA name, or local: as if no zone
// were named. offset names the field with the offset of the local clock of a
// time that is an instant already. The time "received", or {received: true,
// uncertainty_hours: 24}, is that of the record's reception, for answers that
// state a status without its time. facilities gives a facility a zone, or {zone,
// country}.
//
// # Errors
//
// errors tell answers that hold no scans: reason carrier_error (default) or
// not_found, at record (default) or parcel, with the paths of the code and the
// text to quote. skip leaves out events that have not happened (no rejection);
// nonphysical marks events that the carrier generated. Conditions are a path
// (something stands there) or {path, is, not, contains, missing}; a list must
// hold as a whole, except that skip, nonphysical and void take any of theirs. Of
// the errors at record and of those at parcel the first that holds counts.
//
// # Withdrawn events
//
// id is the carrier's own name of an event. An event for which void holds is not
// one: it withdraws the event that it repeats, and becomes a Void with void_time.
//
// # Numbers
//
// A number that has the shape of one of number_format is checked by its rule and
// flagged valid or invalid, never dropped: s10 (postal, of every carrier),
// ups_1z, fedex_12, fedex_15, fedex_96, usps_impb, canada_post, dhl_express and
// sscc have a check digit; sf and yunexpress a prefix and a length. number_format
// of a layout adds to those of the carrier, also as {format, when}: where a number
// of the same shape has no check digit with another service.
//
// Carriers without a mapping are read by the generic reader: field names that
// mean the same everywhere, and the lexicon.
package carriers
