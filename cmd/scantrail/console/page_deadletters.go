package console

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"scantrail/cmd/scantrail/query"
	"scantrail/ingest/deadletters"
	"scantrail/schemas"
)

// ordersCarrier stands for the topic orders where a carrier is named.
const ordersCarrier = "(orders)"

// replayLimit bounds one replay.
const replayLimit = time.Hour

// maxSample bounds what a page shows of a raw record, in characters.
const maxSample = 6000

// letterSample is a dead letter with what would become of it today.
type letterSample struct {
	query.Letter
	Cut     bool // Raw is not the whole record
	Whole   bool // ClickHouse has the whole record, so that it can be read again
	Reading *Reading
}

// deadLettersPage shows what could not be read, and sends it again.
func (c *console) deadLettersPage(r *request) error {
	groups, err := c.queries.LetterGroups(r.Context())
	if err != nil {
		return err
	}
	if r.wantsCSV() {
		return r.export("dead-letters", []any{"carrier", "reason", "dead_letters", "records", "first_at", "last_at", "latest_detail"}, func(write func(...any) error) error {
			for _, g := range groups {
				if err := write(carrierOf(g.Carrier), g.Reason, g.Letters, g.Records, g.FirstAt, g.LastAt, g.Latest); err != nil {
					return err
				}
			}
			return nil
		})
	}
	total := uint64(0)
	for _, g := range groups {
		total += g.Letters
	}
	carrier, reason := r.param("carrier"), r.param("reason")
	data := map[string]any{"Groups": groups, "Total": total, "Carrier": carrier, "Reason": reason, "Job": c.replay.now(),
		"MayReplay": r.Caller.MayHandle() && c.Replay != nil, "Refused": r.param("busy") != ""}
	if carrier != "" && reason != "" {
		if data["Samples"], err = c.samples(r.Context(), carrier, reason); err != nil {
			return err
		}
	}
	return r.render(r.Get("deadletters.title"), data)
}

// carrierOf names a carrier, or the orders.
func carrierOf(carrier string) string { return firstOf(carrier, ordersCarrier) }

// samples reads the latest dead letters of a kind once more.
func (c *console) samples(ctx context.Context, carrier, reason string) ([]letterSample, error) {
	name := carrier
	if name == ordersCarrier {
		name = ""
	}
	letters, err := c.queries.Letters(ctx, name, reason)
	if err != nil {
		return nil, err
	}
	samples := make([]letterSample, len(letters))
	for i, l := range letters {
		s := letterSample{Letter: l, Whole: l.Raw != "" && len(l.Raw) == int(l.RawBytes)}
		if s.Whole && c.ReadLetter != nil {
			reading := c.ReadLetter(l.Topic, l.Carrier, []byte(l.Raw))
			s.Reading = &reading
		}
		s.Raw = Cut(maxSample, Clean(l.Raw))
		s.Cut = !s.Whole || len(s.Raw) < len(l.Raw)
		samples[i] = s
	}
	return samples, nil
}

// previewReplay counts in the background what would become of dead letters.
func (c *console) previewReplay(r *request) error {
	return c.replayJob(r, "", ReplayRequest{
		Carrier: Cut(100, Clean(r.PostFormValue("carrier"))), Reason: Cut(100, Clean(r.PostFormValue("reason"))),
	})
}

// sendReplay sends what the last preview has found. The form names that preview:
// sent twice, or after somebody else's, it does nothing.
func (c *console) sendReplay(r *request) error {
	if !r.Caller.MayHandle() {
		return errForbidden
	}
	last := c.replay.now()
	if last.ID == "" || last.Running || last.Err != nil || last.Result.Request.Send {
		return r.redirect("/dead-letters?busy=1")
	}
	req := last.Result.Request
	if req.Orders {
		req.Carrier = ordersCarrier
	}
	req.Send, req.Live = true, r.PostFormValue("live") == "1"
	return c.replayJob(r, firstOf(r.PostFormValue("preview"), "none"), req)
}

// replayJob begins a replay, unless one is under way or the last one is not after.
func (c *console) replayJob(r *request, after string, req ReplayRequest) error {
	if !r.Caller.MayHandle() {
		return errForbidden
	}
	if c.Replay == nil {
		return fmt.Errorf("%w: this process cannot replay dead letters", query.ErrWrong)
	}
	to := url.Values{}
	if req.Carrier != "" {
		to.Set("carrier", req.Carrier)
	}
	if req.Reason != "" {
		to.Set("reason", req.Reason)
	}
	if req.Carrier == ordersCarrier {
		req.Carrier, req.Orders = "", true
	} else if req.Carrier != "" && !schemas.IsCarrierName([]byte(req.Carrier)) {
		return fmt.Errorf("%w: %q is no name of a carrier", query.ErrWrong, req.Carrier)
	}
	started := c.replay.start(r.Caller.Name, after, replayLimit, c.Now, func(ctx context.Context, p progress) (ReplayResult, error) {
		c.log.Info("dead letters are read again", "carrier", req.Carrier, "reason", req.Reason, "send", req.Send, "live", req.Live)
		req := req
		req.Progress = p.count
		result, err := c.Replay(ctx, req)
		result.Request = req
		slices.SortFunc(result.Groups, func(a, b deadletters.Group) int {
			return cmp.Or(cmp.Compare(b.Mended, a.Mended), cmp.Compare(a.Carrier, b.Carrier), cmp.Compare(a.Reason, b.Reason))
		})
		return result, err
	})
	if !started {
		to.Set("busy", "1")
	}
	return r.redirect("/dead-letters?" + to.Encode() + "#replay")
}

// stopReplay stops what is under way. What was sent stays sent.
func (c *console) stopReplay(r *request) error {
	if !r.Caller.MayHandle() {
		return errForbidden
	}
	c.replay.cancel()
	return r.redirect("/dead-letters#replay")
}
