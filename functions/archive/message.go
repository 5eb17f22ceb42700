package archive

import (
	"errors"
	"fmt"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/strictjson"
	"github.com/clipqueue/clipqueue/shared/videos"
)

const (
	// tries is how often a message is received before a video that cannot be had now
	// is left to reconcile; the queue's redrive policy allows as many.
	tries = 5
	// doubts is how often a doubtful problem is met before it counts as final.
	doubts = 3
	// The wait grows fivefold with each receive: 5 s, 25 s, about 2 and 10 minutes.
	firstWait   = 5 * time.Second
	longestWait = 15 * time.Minute
)

// final says whether no further try can help.
func final(p *videos.Problem, receives int) bool {
	return p.Outlook == videos.Final || p.Outlook == videos.Doubtful && receives >= doubts
}

// backoff is how long a message stays away when it was received so often; up to
// a fifth is taken off at random, in [0, 1), so that what failed together does
// not come back together.
func backoff(receives int, random float64) time.Duration {
	wait := firstWait
	for range min(receives-1, tries) {
		wait = min(5*wait, longestWait)
	}
	return wait - time.Duration(float64(wait)/5*random)
}

// jobID reads whose video an event announces. The message is the whole event, as
// EventBridge hands it to a queue.
func jobID(body string) (string, error) {
	var event struct {
		Source     string            `json:"source"`
		DetailType events.DetailType `json:"detail-type"`
		Detail     struct {
			Metadata struct {
				JobID string `json:"job_id"`
			} `json:"metadata"`
		} `json:"detail"`
	}
	if err := strictjson.Unmarshal([]byte(body), &event); err != nil {
		return "", fmt.Errorf("read the message: %w", err)
	}
	switch {
	case event.Source != events.Source || event.DetailType != events.TypeCompleted:
		return "", fmt.Errorf("read the message: it is %q of %q, not %q of %q: look at the rule that feeds the queue",
			event.DetailType, event.Source, events.TypeCompleted, events.Source)
	case event.Detail.Metadata.JobID == "":
		return "", errors.New("read the message: the event names no job_id")
	}
	return event.Detail.Metadata.JobID, nil
}
