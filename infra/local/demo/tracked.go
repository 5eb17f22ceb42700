package main

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/infra/local"
	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

// take notes an event of the job's.
func (t *tracked) take(e local.Event) error {
	t.events = append(t.events, e)
	if err := t.keep(e); err != nil {
		return fmt.Errorf("event of %s: %w", t.name(), err)
	}
	if !verdict(e) {
		return nil
	}
	// The data of all verdicts at once; a kind of event has only some of these.
	var data struct {
		Via          events.Via           `json:"via"`
		Code         events.RejectionCode `json:"code"`
		Field        string               `json:"field"`
		Credits      *int64               `json:"credits"`
		FailoverUsed *bool                `json:"failover_used"`
	}
	if err := json.Unmarshal(e.Detail.Data, &data); err != nil {
		return fmt.Errorf("event of %s: %w", t.name(), err)
	}
	t.took = time.Since(t.sent)
	t.credits, t.refusal = data.Credits, data.Field
	t.seen.Event, t.seen.Via, t.seen.Code = e.DetailType, data.Via, data.Code
	t.seen.Failover = data.FailoverUsed != nil && *data.FailoverUsed
	return nil
}

// keep notes what became of the video.
func (t *tracked) keep(e local.Event) error {
	switch e.DetailType {
	case events.TypeArchived:
		var archived events.Archived
		if err := json.Unmarshal(e.Detail.Data, &archived); err != nil {
			return err
		}
		t.video = "s3://" + archived.Bucket + "/" + archived.Key
	case events.TypeArchiveFailed:
		var failed events.ArchiveFailed
		if err := json.Unmarshal(e.Detail.Data, &failed); err != nil {
			return err
		}
		t.notKept = failed.Message
	case events.TypeAccepted, events.TypeCompleted, events.TypeFailed, events.TypeRejected, events.TypeExpired:
	}
	return nil
}

// ask reads in the vendor's ledger what it answered and what it was answered.
func (t *tracked) ask(ledger fake.Ledger) {
	answers, callbacks := []int{}, []int{}
	ids := map[string]bool{}
	for _, g := range ledger.Generations {
		ids[g.ID] = g.Prompt == t.text
	}
	for _, r := range ledger.Requests {
		if r.Kind == "submit" && r.Prompt == t.text {
			answers = append(answers, r.Answer)
		}
	}
	for _, a := range ledger.Attempts {
		if ids[a.GenerationID] {
			callbacks = append(callbacks, a.Answer)
		}
	}
	t.seen.Answers, t.seen.Callbacks = answers, callbacks
}

// asExpected says whether the job has ended as it should, with one verdict, and
// its video, if there is one, lies in the bucket.
func (t *tracked) asExpected() bool { return t.amiss() == "" }

// amiss says what is not as it should be; empty when nothing is.
func (t *tracked) amiss() string {
	verdicts := 0
	for _, e := range t.events {
		if verdict(e) {
			verdicts++
		}
	}
	made := t.seen.Event == events.TypeCompleted
	switch {
	case !reflect.DeepEqual(t.seen, t.Expect):
		return fmt.Sprintf("want %+v\n%*s got  %+v", t.Expect, len(t.name())+1, "", t.seen)
	case verdicts != 1:
		return fmt.Sprintf("%d verdicts, want 1", verdicts)
	case t.notKept != "":
		return "its video could not be kept: " + t.notKept
	case made && t.video == "":
		return "its video is not in the bucket"
	case !made && t.video != "":
		return "there is a video in the bucket, which nobody made: " + t.video
	}
	return ""
}

// how tells in words how the job went, from what was seen of it.
func (t *tracked) how() string {
	var words []string
	say := func(seen bool, word string) {
		if seen {
			words = append(words, word)
		}
	}
	o := t.seen
	say(slices.Contains(o.Answers, http.StatusTooManyRequests), "429, tried again")
	say(slices.Contains(o.Answers, 0), "answer lost, not sent again")
	say(o.Failover, "another provider")
	say(slices.Contains(o.Callbacks, http.StatusUnauthorized), "forged callback refused")
	say(slices.Contains(o.Callbacks, 0), "callback lost once")
	say(count(o.Callbacks, http.StatusOK) > 1, "callback twice, one event")
	say(o.Via == events.ViaCallback, "called back")
	say(o.Via == events.ViaPoll, "polled")
	say(o.Code == events.CodeRefused, "refused by the vendor")
	say(o.Code == events.CodeInvalid && t.refusal == "", "invalid message")
	say(o.Code == events.CodeInvalid && t.refusal != "", "invalid "+t.refusal)
	return strings.Join(words, "; ")
}

func count(statuses []int, status int) int {
	n := 0
	for _, s := range statuses {
		if s == status {
			n++
		}
	}
	return n
}
