package schemas

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/segmentio/encoding/json"
)

// Messages on parcel.alerts and parcel.status are CloudEvents 1.0 in the
// structured JSON mode: what happened is in `data`, in snake_case, with times
// in RFC 3339. The version is a string, since it does not fit into the 53 bits
// that many JSON readers have for a number.

// MaxAlertBytes bounds the size of a message on parcel.alerts.
const MaxAlertBytes = 64 << 10

// AppendAlertJSON appends the message on parcel.alerts that says a, described by
// alert.schema.json. An alert of an order, of a feed or of a shop has no parcel_id
// and no tracking_number.
func AppendAlertJSON(dst []byte, a *Alert) []byte {
	w := jsonWriter{b: dst}
	subject := cmp.Or(a.TrackingNumber, a.OrderID, a.Carrier, a.ShopID)
	w.envelope(a.AlertID, a.Version, "scantrail.alert."+a.Status.String(), subject, a.ChangedAt)
	w.id("alert_id", a.AlertID)
	w.id("home", a.Home)
	w.version(a.Version)
	w.str("rule", a.Rule)
	w.str("detail", a.Detail)
	w.num("level", int64(a.Level))
	w.str("status", a.Status.String())
	w.milestone("milestone", a.Milestone)
	w.milestone("stage", a.Stage)
	w.id("parcel_id", a.ParcelID)
	w.str("tracking_number", a.TrackingNumber)
	w.str("carrier", a.Carrier)
	w.str("shop_id", a.ShopID)
	w.str("order_id", a.OrderID)
	w.str("market", a.Market)
	w.str("origin", a.Origin)
	w.str("destination", a.Destination)
	w.str("facility", a.Facility)
	w.str("country", a.Country)
	w.time("anchor_at", a.AnchorAt)
	w.time("ended_at", a.EndedAt)
	w.time("opened_at", a.OpenedAt)
	w.time("changed_at", a.ChangedAt)
	w.num("silent_secs", int64(a.SilentSecs))
	w.str("cause", a.Cause)
	w.str("action", Advice(a.Rule, a.Detail, a.Cause))
	w.bool("backfill", a.Backfill)
	w.bool("held", a.Held)
	w.bool("uncertain", a.Uncertain)
	w.str("policy", a.Policy)
	return w.end()
}

// AppendStatusJSON appends the message on parcel.status that says s, described
// by status.schema.json.
func AppendStatusJSON(dst []byte, s *Status) []byte {
	w := jsonWriter{b: dst}
	w.envelope(s.ParcelID, s.Version, "scantrail.status."+s.Stage, s.TrackingNumber, s.ChangedAt)
	w.id("parcel_id", s.ParcelID)
	w.version(s.Version)
	w.str("tracking_number", s.TrackingNumber)
	w.str("shop_id", s.ShopID)
	w.str("order_id", s.OrderID)
	w.str("stage", s.Stage)
	w.time("at", s.At)
	w.time("changed_at", s.ChangedAt)
	return w.end()
}

// jsonWriter appends one message. Empty values are left out.
type jsonWriter struct {
	b     []byte
	comma bool
}

// envelope opens the message and its data.
func (w *jsonWriter) envelope(id ID, version uint64, typ, subject string, at int64) {
	w.b = append(w.b, '{')
	w.str("specversion", "1.0")
	w.str("id", id.String()+":"+strconv.FormatUint(version, 10))
	w.str("source", "scantrail")
	w.str("type", typ)
	w.str("subject", subject)
	w.time("time", at)
	w.str("datacontenttype", "application/json")
	w.key("data")
	w.b, w.comma = append(w.b, '{'), false
}

func (w *jsonWriter) end() []byte { return append(w.b, "}}"...) }

func (w *jsonWriter) key(k string) {
	if w.comma {
		w.b = append(w.b, ',')
	}
	w.comma = true
	w.b = append(append(append(w.b, '"'), k...), `":`...)
}

func (w *jsonWriter) str(k, v string) {
	if v != "" {
		w.key(k)
		w.b = appendJSONString(w.b, v)
	}
}

func (w *jsonWriter) id(k string, v ID) {
	if v != (ID{}) {
		w.str(k, v.String())
	}
}

func (w *jsonWriter) version(v uint64) { w.str("version", strconv.FormatUint(v, 10)) }

func (w *jsonWriter) num(k string, v int64) {
	w.key(k)
	w.b = strconv.AppendInt(w.b, v, 10)
}

func (w *jsonWriter) bool(k string, v bool) {
	w.key(k)
	w.b = strconv.AppendBool(w.b, v)
}

func (w *jsonWriter) milestone(k string, m Milestone) {
	if m != Unmapped {
		w.str(k, m.String())
	}
}

// jsonTime is RFC 3339 with milliseconds, always in UTC.
const jsonTime = "2006-01-02T15:04:05.000Z"

func (w *jsonWriter) time(k string, ms int64) {
	if ms == 0 {
		return
	}
	w.key(k)
	w.b = append(w.b, '"')
	w.b = time.UnixMilli(ms).UTC().AppendFormat(w.b, jsonTime)
	w.b = append(w.b, '"')
}

// appendJSONString appends s as a JSON string. What a browser or a terminal
// could take for markup or a command is escaped as well, since carriers' texts
// are hostile; bytes that are not UTF-8 become U+FFFD.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case r < 0xa0 || r == utf8.RuneError || hidden(r):
			dst = append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return append(dst, '"')
}

// hidden reports whether r ends a line in JavaScript or turns the direction of
// what follows it.
func hidden(r rune) bool {
	return r == 0x2028 || r == 0x2029 || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// alertJSON is the part of a message on parcel.alerts that is read back: all
// that Alert holds. The action is made of its fields and is not.
type alertJSON struct {
	SpecVersion string     `json:"specversion"`
	Data        *alertData `json:"data"`
}

type alertData struct {
	AlertID        ID     `json:"alert_id"`
	Home           ID     `json:"home"`
	Version        string `json:"version"`
	Rule           string `json:"rule"`
	Detail         string `json:"detail"`
	Level          uint8  `json:"level"`
	Status         string `json:"status"`
	Milestone      string `json:"milestone"`
	Stage          string `json:"stage"`
	ParcelID       ID     `json:"parcel_id"`
	TrackingNumber string `json:"tracking_number"`
	Carrier        string `json:"carrier"`
	ShopID         string `json:"shop_id"`
	OrderID        string `json:"order_id"`
	Market         string `json:"market"`
	Origin         string `json:"origin"`
	Destination    string `json:"destination"`
	Facility       string `json:"facility"`
	Country        string `json:"country"`
	AnchorAt       string `json:"anchor_at"`
	EndedAt        string `json:"ended_at"`
	OpenedAt       string `json:"opened_at"`
	ChangedAt      string `json:"changed_at"`
	SilentSecs     uint32 `json:"silent_secs"`
	Cause          string `json:"cause"`
	Backfill       bool   `json:"backfill"`
	Held           bool   `json:"held"`
	Uncertain      bool   `json:"uncertain"`
	Policy         string `json:"policy"`
}

// ParseAlertJSON reads a message of parcel.alerts into a. Fields that a newer
// version added are skipped. Errors name the field.
func ParseAlertJSON(b []byte, a *Alert) error {
	if len(b) > MaxAlertBytes {
		return fmt.Errorf("alert: %d bytes, at most %d", len(b), MaxAlertBytes)
	}
	var m alertJSON
	if _, err := json.Parse(b, &m, 0); err != nil {
		return fmt.Errorf("alert: %w", err)
	}
	if m.SpecVersion != "1.0" || m.Data == nil {
		return errors.New("alert: not a CloudEvent 1.0 with data")
	}
	return m.Data.alert(a)
}

// alert sets a to what d says.
func (d *alertData) alert(a *Alert) (err error) {
	*a = Alert{
		AlertID: d.AlertID, Home: d.Home, Rule: d.Rule, Level: d.Level, ParcelID: d.ParcelID,
		TrackingNumber: d.TrackingNumber, Carrier: d.Carrier, ShopID: d.ShopID, OrderID: d.OrderID,
		Market: d.Market, Origin: d.Origin, Destination: d.Destination, Facility: d.Facility,
		Country: d.Country, Detail: d.Detail, Cause: d.Cause, SilentSecs: d.SilentSecs,
		Backfill: d.Backfill, Held: d.Held, Uncertain: d.Uncertain, Policy: d.Policy,
	}
	if a.AlertID == (ID{}) {
		return errors.New("alert: data.alert_id is missing")
	}
	if a.Version, err = strconv.ParseUint(d.Version, 10, 64); err != nil {
		return fmt.Errorf("alert: data.version %.40q is not a number", d.Version)
	}
	if a.Status, err = parseAlertStatus(d.Status); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		s    string
		dst  *Milestone
	}{{"milestone", d.Milestone, &a.Milestone}, {"stage", d.Stage, &a.Stage}} {
		if f.s == "" {
			continue
		}
		if *f.dst, err = ParseMilestone(f.s); err != nil {
			return fmt.Errorf("alert: data.%s: %w", f.name, err)
		}
	}
	for _, f := range []struct {
		name string
		s    string
		dst  *int64
	}{{"anchor_at", d.AnchorAt, &a.AnchorAt}, {"ended_at", d.EndedAt, &a.EndedAt},
		{"opened_at", d.OpenedAt, &a.OpenedAt}, {"changed_at", d.ChangedAt, &a.ChangedAt}} {
		if *f.dst, err = parseJSONTime(f.s); err != nil {
			return fmt.Errorf("alert: data.%s: %w", f.name, err)
		}
	}
	return nil
}

func parseAlertStatus(s string) (AlertStatus, error) {
	for i, n := range alertStatusNames {
		if i > 0 && n == s {
			return AlertStatus(i), nil
		}
	}
	return 0, fmt.Errorf("alert: data.status %.40q: want at_risk, open, escalated, resolved or withdrawn", s)
}

// parseJSONTime returns Unix milliseconds; "" is 0.
func parseJSONTime(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not an RFC 3339 time", s)
	}
	return t.UnixMilli(), nil
}
