package job

import "time"

// How often someone looks at a job that does not move: the interval doubles.
const (
	firstInterval   = time.Minute
	longestInterval = 15 * time.Minute
	// A queued job has a message on the queue, and a finished video one on the
	// archive's; SQS rarely loses them, so they are repeated only after long. A
	// job's message is turned away unseen while the vendor is left alone, so it
	// may well be late.
	firstRequeue   = 2 * time.Hour
	longestRequeue = 12 * time.Hour
	firstNudge     = 30 * time.Minute
	longestNudge   = 6 * time.Hour
	// archiveGivesUp is how long a video is tried for.
	archiveGivesUp = 7 * 24 * time.Hour
)

// askAgain is when, after its expiry, a job with a generation id is asked about
// again. The last one repeats the one before it, in case that died half-way.
func askAgain() [4]time.Duration {
	return [4]time.Duration{6 * time.Hour, 24 * time.Hour, 72 * time.Hour, 73 * time.Hour}
}

// Overdue is the fact that time alone has brought about, or nil.
//
//nolint:ireturn // a fact is one of several kinds
func (r Rules) Overdue(j Job, now time.Time) Fact {
	if j.State == Submitting && !now.Before(j.ClaimUntil) {
		return ClaimRanOut{At: now}
	}
	if end, ok := r.deadlineOf(j); ok && !now.Before(end) {
		return Deadline{At: now}
	}
	if j.Archive.State == ArchivePending && !now.Before(j.SettledAt.Add(archiveGivesUp)) {
		return Stored{At: now, Archive: Archive{
			State: ArchiveFailed, Code: "gave_up", Message: "the video could not be downloaded for 7 days",
		}}
	}
	return nil
}

// NextLook is when someone must look at the job again after now, and false
// when no one must: nothing is owed and nothing more can happen.
func (r Rules) NextLook(j Job, now time.Time) (time.Time, bool) {
	next := now.Add(interval(j.Looks, firstInterval, longestInterval))
	switch j.State {
	case Submitting:
		return later(next, j.ClaimUntil), true
	case Queued:
		wait := interval(j.Looks, firstRequeue, longestRequeue)
		next = later(now, j.RetryAt).Add(wait)
	case Unconfirmed, Processing:
	case Completed, Failed, Rejected:
		if len(j.Owed) == 0 {
			next = now.Add(interval(j.Looks, firstNudge, longestNudge))
		}
		return next, len(j.Owed) > 0 || j.Archive.State == ArchivePending
	case Expired:
		if len(j.Owed) > 0 {
			return next, true
		}
		return nextAsk(j, now)
	}
	// Never at once: a look that may be under way elsewhere has to end first.
	if end, ok := r.deadlineOf(j); ok && end.After(now) && end.Before(next) {
		next = later(end, now.Add(firstInterval/2))
	}
	return next, true
}

// NeedsMessage says whether a queued job's message should have come long ago. The
// longer a job has waited, the rarer its message can come, and the rarer it is repeated.
func (r Rules) NeedsMessage(j Job, now time.Time) bool {
	return j.State == Queued && !now.Before(j.RetryAt.Add(max(firstRequeue, now.Sub(j.EnqueuedAt)/2)))
}

// NeedsArchiving says whether the archive should have stored a video long ago.
func (r Rules) NeedsArchiving(j Job, now time.Time) bool {
	return j.State == Completed && j.Archive.State == ArchivePending && len(j.Owed) == 0 &&
		!now.Before(j.SettledAt.Add(firstNudge))
}

// Published is the job once the events it owes are on the bus.
func (r Rules) Published(j Job, now time.Time) Job {
	j.Owed = nil
	switch j.State {
	case Completed, Failed, Rejected:
		if j.Archive.State != ArchivePending {
			j.DueAt = time.Time{}
		}
	case Expired:
		j.DueAt, _ = nextAsk(j, now)
	case Queued, Submitting, Unconfirmed, Processing:
	}
	return j
}

// firstAsk is when an expired job with a generation id is first asked about.
func firstAsk(j Job) time.Time { return j.SettledAt.Add(askAgain()[0]) }

// nextAsk is the next of the times at which an expired job is asked about.
func nextAsk(j Job, now time.Time) (time.Time, bool) {
	if j.GenerationID == "" {
		return time.Time{}, false
	}
	for _, after := range askAgain() {
		if at := j.SettledAt.Add(after); at.After(now) {
			return at, true
		}
	}
	return time.Time{}, false
}

func interval(looks int64, first, longest time.Duration) time.Duration {
	d := first << min(max(looks, 0), 20)
	return min(d, longest)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
