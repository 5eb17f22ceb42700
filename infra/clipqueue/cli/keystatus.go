package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
)

const (
	// keyAtHand is how long a function uses a key that it has read.
	keyAtHand = 5 * time.Minute
	// openLook is a time within which somebody looks at each job that is with the
	// vendor: the longest firstLookAfter that the stack takes.
	openLook = time.Hour
	// openPage is how many of them are counted in each shard of the index.
	openPage = 1000
)

func (r *root) keyStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Which keys are in force, whether the vendor takes them, who depends on the old one",
		Long: `Show which keys are in force and since when, whether the vendor takes each, and how many jobs depend
on the previous one: those that were submitted before it was replaced, and await their callback.

Never the keys themselves: a fingerprint is the beginning of the SHA-256 of a key. That of yours is
  printf %s "$KEY" | sha256sum | cut -c1-8`,
		Example: example("clipqueue key status"),
		Args:    noKeyHere,
		RunE:    r.connected(r.keyStatus),
	}
}

// keyInForce is a key at a stage of the secret; without a value there is none.
type keyInForce struct {
	value   string
	version deployment.KeyVersion
}

func inForce(ctx context.Context, s *Services, versions []deployment.KeyVersion, stage string) (keyInForce, error) {
	var k keyInForce
	at := slices.IndexFunc(versions, func(v deployment.KeyVersion) bool { return slices.Contains(v.Stages, stage) })
	if at < 0 {
		return k, nil
	}
	var err error
	k.version = versions[at]
	k.value, err = s.KeyReader.Value(ctx, stage)
	return k, err
}

// named tells a key from others without showing it.
func (k keyInForce) named(now time.Time) string {
	return fmt.Sprintf("%s, put %s", fingerprint(k.value), story.Distance(k.version.PutAt, now))
}

// fingerprint is the beginning of the key's SHA-256.
func fingerprint(key string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(key)))[:8]
}

// What the vendor says to a key.
const (
	keyTaken   = "takes"
	keyRefused = "refuses"
	keyUntried = "unknown"
)

// trial is what the vendor said to a key.
type trial struct {
	verdict string
	// says is why it refuses it, or why it could not be asked.
	says string
}

// try asks the vendor with a key about a generation that it does not have: one
// who takes the key says so.
func try(ctx context.Context, s *Services, key string) trial {
	_, err := s.Vendor.AskWith(ctx, key, probeID)
	status, answered := errors.AsType[*creativeai.StatusError](err)
	switch {
	case err == nil, errors.Is(err, creativeai.ErrNotFound):
		return trial{verdict: keyTaken}
	case !answered:
		return trial{keyUntried, err.Error()}
	}
	says := strings.TrimPrefix(status.Reason, "the vendor answered ")
	switch status.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return trial{keyRefused, says}
	case http.StatusPaymentRequired: // the account has no credit: the key is known
		return trial{keyTaken, says}
	}
	return trial{keyUntried, says}
}

// dependents are the jobs whose callback the vendor may sign with the previous key.
type dependents struct {
	n int
	// more says that there may be more than n.
	more bool
	// safeAt is when none of them is left at the latest; zero when that is now.
	safeAt time.Time
	now    time.Time
}

// dependents counts the jobs that were submitted before the previous key was
// replaced, and await their callback. It reads the index of what must be looked
// at, in which every such job is.
func (r *root) dependents(ctx context.Context, s *Services, current keyInForce) (dependents, error) {
	d := dependents{now: r.app.Now()}
	rules, err := s.Stack.Rules(ctx)
	if err != nil {
		return d, err
	}
	// Keys that were swapped, once or back again, keep the times when they were
	// put: only the secret knows of it. Another change of it makes this later, which is safe.
	replaced, err := s.KeyReader.ChangedAt(ctx)
	if err != nil {
		return d, err
	}
	if replaced.Before(current.version.PutAt) {
		replaced = current.version.PutAt
	}
	until := replaced.Add(keyAtHand)
	for shard := range store.Shards {
		due, err := s.Lists.Due(ctx, shard, d.now.Add(openLook), openPage)
		if err != nil {
			return d, err
		}
		d.more = d.more || len(due) == openPage
		keys := make([]string, len(due))
		for i := range due {
			keys[i] = due[i].Key
		}
		jobs, err := s.Lists.Many(ctx, keys)
		if err != nil {
			return d, err
		}
		for _, j := range jobs {
			if awaitsCallback(j) && j.ClaimedAt.Before(until) {
				d.n++
			}
		}
	}
	if d.n > 0 || d.more {
		until = until.Add(rules.ClaimFor + max(rules.UnconfirmedFor, rules.ProcessingFor))
	}
	if until.After(d.now) {
		d.safeAt = until
	}
	return d, nil
}

func awaitsCallback(j job.Job) bool {
	switch j.State {
	case job.Submitting, job.Unconfirmed, job.Processing:
		return j.Delivery != events.DeliveryPoll
	case job.Queued, job.Completed, job.Failed, job.Rejected, job.Expired:
	}
	return false
}

// words say who depends on the key, and from when on nobody does.
func (d dependents) words() string {
	count := plural(d.n, "open job")
	if d.more {
		count = "at least " + count
	}
	safe := d.safeAt.UTC().Format("2006-01-02 15:04:05 UTC") + " (" + story.Distance(d.safeAt, d.now) + ")"
	switch {
	case d.n > 0 || d.more:
		if d.safeAt.IsZero() {
			return "Jobs that depend on it: " + count + "."
		}
		return fmt.Sprintf("Jobs that depend on it: %s; safe when they have ended, %s at the latest.", count, safe)
	case !d.safeAt.IsZero():
		return "No open job depends on it, but functions may still submit with it: safe from " + safe + " on."
	}
	return "No open job depends on it."
}

// keyView is a key in force, as JSON.
type keyView struct {
	Stage       string    `json:"stage"`
	Set         bool      `json:"set"`
	PutAt       time.Time `json:"put_at,omitzero"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	Vendor      string    `json:"vendor,omitempty"`
	VendorSays  string    `json:"vendor_says,omitempty"`
	OpenJobs    *int      `json:"open_jobs,omitempty"`
	AtLeast     bool      `json:"at_least,omitzero"`
	SafeAt      time.Time `json:"safe_at,omitzero"`
}

func (r *root) keyStatus(ctx context.Context, s *Services, _ []string) error {
	current, previous, err := keysInForce(ctx, s)
	if err != nil {
		return err
	}
	views := []keyView{viewOfKey(ctx, s, "current", current), viewOfKey(ctx, s, "previous", previous)}
	var held dependents
	if previous.value != "" {
		if held, err = r.dependents(ctx, s, current); err != nil {
			return err
		}
		views[1].OpenJobs, views[1].AtLeast, views[1].SafeAt = &held.n, held.more, held.safeAt
	}
	if r.json() {
		for _, v := range views {
			err = errors.Join(err, r.print(v))
		}
		return err
	}
	r.showKeys(views)
	if previous.value == "" {
		return nil
	}
	r.say("\nThe previous key: %s", held.words())
	switch {
	case views[0].Vendor == keyRefused && views[1].Vendor == keyTaken:
		r.say("The vendor refuses the current key and takes the previous one. To go back: clipqueue key swap")
	case held.safeAt.IsZero() && held.n == 0 && !held.more:
		r.say("To end it: clipqueue key retire")
	}
	return nil
}

func viewOfKey(ctx context.Context, s *Services, stage string, k keyInForce) keyView {
	if k.value == "" {
		return keyView{Stage: stage}
	}
	t := try(ctx, s, k.value)
	return keyView{Stage: stage, Set: true, PutAt: k.version.PutAt, Fingerprint: fingerprint(k.value), Vendor: t.verdict, VendorSays: t.says}
}

func (r *root) showKeys(views []keyView) {
	t := r.table("key", "used for", "fingerprint", "put", "the vendor")
	for _, v := range views {
		if !v.Set {
			t.AppendRow([]any{v.Stage, "there is none"})
			continue
		}
		put := v.PutAt.UTC().Format("2006-01-02 15:04:05 UTC") + ", " + story.Distance(v.PutAt, r.app.Now())
		says := map[string]string{keyTaken: "takes it", keyRefused: "refuses it", keyUntried: "cannot be asked"}[v.Vendor]
		if v.VendorSays != "" {
			says += ": " + short(v.VendorSays, 60)
		}
		use := map[string]string{"current": "submits and callbacks", "previous": "callbacks only"}[v.Stage]
		t.AppendRow([]any{v.Stage, use, v.Fingerprint, put, says})
	}
	t.Render()
}
