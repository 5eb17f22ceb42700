package publish

import (
	"context"
	"errors"
	"log/slog"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/bus"
	"github.com/clipqueue/clipqueue/shared/env"
)

// The bounds of one PutEvents call: ten entries, and less bytes than even the
// older of EventBridge's limits, 256 KB
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html).
const (
	maxEntries = 10
	maxBytes   = 250 << 10
)

// parcel is one event on its way, with the image that it comes from; or an image
// that can never be published.
type parcel struct {
	image  int
	of     *image
	entry  Entry
	poison error
}

// publish puts the images' events on the bus, in their order. done is how many
// images, from the first on, are out whole or set aside; err says why not all are.
func (h *Handler) publish(ctx context.Context, images []image) (done int, err error) {
	waiting := parcels(images)
	for len(waiting) > 0 {
		sent, err := h.next(ctx, waiting)
		if err != nil {
			return waiting[sent].image, err
		}
		waiting = waiting[sent:]
	}
	return len(images), nil
}

// next sets the first parcel aside, or puts as many on the bus as fit into a call.
func (h *Handler) next(ctx context.Context, waiting []parcel) (sent int, err error) {
	if first := waiting[0]; first.poison == nil {
		return h.call(ctx, waiting[:fit(waiting)])
	} else if err := h.setAside(ctx, first, first.poison); err != nil {
		return 0, err
	}
	return 1, nil
}

// parcels are the events of all images in order, each once: a job's later image
// still owes what the earlier one did.
func parcels(images []image) []parcel {
	type id struct {
		key     string
		created int64
		version int64
		kind    events.DetailType
	}
	seen := map[id]bool{}
	var out []parcel
	for i := range images {
		of := &images[i]
		if of.poison != nil {
			out = append(out, parcel{image: i, of: of, poison: of.poison})
			continue
		}
		for _, e := range of.entries {
			this := id{of.job.Key(), of.job.CreatedAt.UnixMilli(), e.Version, e.DetailType}
			if seen[this] {
				continue
			}
			seen[this] = true
			out = append(out, parcel{image: i, of: of, entry: e})
		}
	}
	return out
}

// fit is how many of the parcels go into one call. Two events of one job never
// do: entries fail one by one, and the later would overtake the earlier.
func fit(waiting []parcel) int {
	size, in := 0, map[string]bool{}
	for n, p := range waiting {
		size += len(p.entry.Detail) + len(p.entry.DetailType) + len(events.Source) + 14 // 14 for the time
		if n > 0 && (n == maxEntries || size > maxBytes || p.poison != nil || in[p.of.job.Key()]) {
			return n
		}
		in[p.of.job.Key()] = true
	}
	return len(waiting)
}

// call puts the parcels on the bus in one call, or in halves where that is too
// large. sent is how many, from the first on, are out or set aside.
func (h *Handler) call(ctx context.Context, parcels []parcel) (sent int, err error) {
	entries := make([]bus.Entry, len(parcels))
	for i, p := range parcels {
		entries[i] = bus.Entry{DetailType: p.entry.DetailType, Time: p.entry.Time, Detail: p.entry.Detail}
	}
	failed, err := h.Bus.Put(ctx, entries)
	if errors.Is(err, bus.ErrTooLarge) {
		return h.halve(ctx, parcels, err)
	}
	if err != nil {
		return 0, err
	}
	for i, err := range failed {
		switch {
		case err == nil:
			h.count(ctx, parcels[i])
			continue
		case errors.Is(err, bus.ErrRefused):
			err = h.setAside(ctx, parcels[i], err)
		}
		if err != nil {
			return i, err
		}
	}
	return len(parcels), nil
}

func (h *Handler) halve(ctx context.Context, parcels []parcel, why error) (sent int, err error) {
	if len(parcels) == 1 {
		if err := h.setAside(ctx, parcels[0], why); err != nil {
			return 0, err
		}
		return 1, nil
	}
	middle := len(parcels) / 2
	sent, err = h.call(ctx, parcels[:middle])
	if err != nil {
		return sent, err
	}
	rest, err := h.call(ctx, parcels[middle:])
	return sent + rest, err
}

// count writes the metrics of an event that is on the bus.
func (h *Handler) count(ctx context.Context, p parcel) {
	j := p.of.job
	h.Log.InfoContext(ctx, "published", slog.String("job_id", j.ID), slog.String("generation_id", j.GenerationID),
		slog.String("detail_type", string(p.entry.DetailType)), slog.Int64("version", p.entry.Version))
	name := map[events.DetailType]string{
		events.TypeCompleted: env.MetricCompleted, events.TypeFailed: env.MetricFailed,
		events.TypeRejected: env.MetricRejected, events.TypeExpired: env.MetricExpired,
		events.TypeArchived: env.MetricArchived, events.TypeArchiveFailed: env.MetricArchiveFailed,
	}[p.entry.DetailType]
	if name == "" || p.entry.Again {
		return
	}
	h.Metrics.Count(name, 1)
	if p.entry.DetailType != events.TypeCompleted && p.entry.DetailType != events.TypeFailed {
		return
	}
	h.Metrics.Time(env.MetricVendorTime, p.entry.Time.Sub(j.ClaimedAt))
	h.Metrics.Time(env.MetricTotalTime, p.entry.Time.Sub(j.EnqueuedAt))
	if j.Result != nil && j.Result.Charge.Credits != nil {
		h.Metrics.Count(env.MetricCredits, *j.Result.Charge.Credits)
	}
}
