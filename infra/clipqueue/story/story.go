// Package story tells what became of a job in plain words: what happened, what
// is known and what is not, the money at stake, where the video lies, and what
// can safely be done next. It is pure: time comes in.
package story

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/job"
)

// Story is a job's.
type Story struct {
	// Headline is the job's state in one sentence.
	Headline string `json:"headline"`
	// Steps are the transitions, oldest first.
	Steps []Step `json:"steps"`
	// Known and Unknown are what is certain, and what is not.
	Known   []string `json:"known"`
	Unknown []string `json:"unknown"`
	// Money says what was paid, or may have been.
	Money string `json:"money"`
	// Video says where the video lies; empty when there is none.
	Video string `json:"video,omitempty"`
	// Next are the safe next steps; none when nothing needs doing.
	Next []Advice `json:"next"`
}

// Step is one transition.
type Step struct {
	At    time.Time `json:"at"`
	State job.State `json:"state"`
	Why   string    `json:"why"`
}

// Advice is something that can be done.
type Advice struct {
	Say string `json:"say"`
	// Command does it; empty when no command can.
	Command string `json:"command,omitempty"`
}

// teller is a story in the making.
type teller struct {
	Story
	job   job.Job
	rules job.Rules
	now   time.Time
}

// Tell tells the story of a job, or of a rejected message, as of now. The rules
// are the deployment's.
func Tell(j job.Job, rules job.Rules, now time.Time) Story {
	t := &teller{job: j, rules: rules, now: now, Story: Story{Known: []string{}, Unknown: []string{}, Next: []Advice{}, Steps: []Step{}}}
	for _, s := range j.History {
		t.Steps = append(t.Steps, Step{At: s.At, State: s.State, Why: s.Why})
	}
	t.facts()
	switch j.State {
	case job.Queued:
		t.queued()
	case job.Submitting:
		t.submitting()
	case job.Unconfirmed:
		t.unconfirmed()
	case job.Processing:
		t.processing()
	case job.Completed:
		t.completed()
	case job.Failed:
		t.failed()
	case job.Rejected:
		t.rejected()
	case job.Expired:
		t.expired()
	}
	t.outbox()
	return t.Story
}

func (t *teller) known(format string, args ...any) {
	t.Known = append(t.Known, fmt.Sprintf(format, args...))
}

func (t *teller) unknown(format string, args ...any) {
	t.Unknown = append(t.Unknown, fmt.Sprintf(format, args...))
}

func (t *teller) next(command, format string, args ...any) {
	t.Next = append(t.Next, Advice{Say: fmt.Sprintf(format, args...), Command: command})
}

// when is a time and how far it lies from now.
func (t *teller) when(at time.Time) string {
	return fmt.Sprintf("%s (%s)", at.UTC().Format("2006-01-02 15:04:05 UTC"), Distance(at, t.now))
}

// facts are what is known in every state.
func (t *teller) facts() {
	j := t.job
	if old, n, ok := RetryOf(j.ID); ok && !j.Rejection {
		t.known("by its name it is retry %d of %s", n, old)
	}
	switch {
	case j.GenerationID == "":
	case j.AcceptedAt.IsZero(): // the answer to the submit was lost
		t.known("the vendor's id of the work is %s, which its callback brought", j.GenerationID)
	default:
		t.known("the vendor's id of the work is %s, accepted %s", j.GenerationID, t.when(j.AcceptedAt))
	}
	if j.Result != nil && j.Result.Charge.ModelActual != "" {
		t.known("the model %s was asked for, and %s did the work", j.Model, j.Result.Charge.ModelActual)
	}
	if failover := failover(j); failover != nil && *failover {
		t.known("the vendor used a fallback provider")
	}
}

func failover(j job.Job) *bool {
	if j.Result != nil {
		return j.Result.Charge.FailoverUsed
	}
	return j.Acceptance.FailoverUsed
}

func (t *teller) queued() {
	j := t.job
	t.Headline = "It waits on the queue: the vendor has not accepted it, and it will be tried again."
	t.Money = t.unpaid("Nothing is paid for it yet.")
	switch {
	case j.RetryAt.After(t.now):
		t.known("it is tried again by %s", t.when(j.RetryAt))
	case j.RetryAt.IsZero() && j.Attempt > 0:
		t.known("%s", t.requeued())
	}
	if j.Attempt > 0 {
		t.known("it was tried %s; what happened last: %s", times(j.Attempt), t.lastWhy())
	}
	t.known("if the vendor does not accept it by %s, it ends as expired", t.when(j.EnqueuedAt.Add(t.rules.QueuedFor)))
	t.next("clipqueue doctor", "Nothing needs doing. If it waits for long, see what is wrong.")
	t.next("clipqueue cancel "+j.ID, "To give it up:")
}

// requeued is how a job whose message was done with comes onto the queue again.
func (t *teller) requeued() string {
	switch {
	case t.job.Looks > 0:
		return "its message was put on the queue again, and is submitted in its turn"
	case t.job.DueAt.After(t.now):
		return "its message is put on the queue again " + t.when(t.job.DueAt) + ", or up to a minute later, and is submitted then"
	}
	return "its message is put on the queue again within a minute (reconcileEvery), and is submitted then"
}

// unpaid is the word that nothing was paid, as far as that is certain.
func (t *teller) unpaid(word string) string {
	if t.job.InDoubt() {
		return "Nothing, if the submit whose answer was lost was not accepted."
	}
	return word
}

func (t *teller) submitting() {
	j := t.job
	t.Headline = fmt.Sprintf("It is being submitted, attempt %d: a request to the vendor may be on its way.", j.Attempt)
	t.Money = "Not known before the vendor answers."
	t.known("its claim ends %s; without an answer by then it becomes unconfirmed", t.when(j.ClaimUntil))
	t.unknown("whether the vendor has accepted it")
	t.next("clipqueue why "+j.ID, "Wait, then look again.")
}

func (t *teller) unconfirmed() {
	j := t.job
	t.Headline = "The answer to its submit was lost: whether the vendor accepted it is not known, and it is not sent again."
	t.Money = "It may have been charged; the price is not known."
	t.known("it was submitted %s: %s", t.when(j.ClaimedAt), t.lastWhy())
	t.unknown("whether the vendor has accepted it")
	end := t.when(j.ClaimedAt.Add(t.rules.UnconfirmedFor))
	if j.Delivery == events.DeliveryPoll {
		t.unknown("no callback can tell, since the job is polled")
	} else {
		t.known("if the vendor accepted it, its callback still settles the job")
	}
	t.known("without news it ends as expired %s", end)
	t.resolve()
	t.next("clipqueue resolve "+j.ID+" --give-up", "To wait no longer (it ends as expired, and a late verdict still counts):")
}

// resolve is what only a person can decide.
func (t *teller) resolve() {
	t.next("clipqueue resolve "+t.job.ID+" --accepted GENERATION", "Look it up with the vendor, by its prompt and time. If it is there:")
	t.next("clipqueue resolve "+t.job.ID+" --not-accepted", "If it is certainly not there, allow one new submit:")
}

func (t *teller) processing() {
	j := t.job
	t.Headline = "The vendor has accepted it and is working on it."
	t.Money = t.price("at its acceptance")
	t.known("the verdict comes by %s; without one by %s it ends as expired", how(j.Delivery), t.when(j.AcceptedAt.Add(t.rules.ProcessingFor)))
	t.unknown("how long the vendor takes; 30 s to 3 min is usual")
	t.next("clipqueue recheck "+j.ID, "Nothing needs doing. To ask the vendor now:")
}

func how(d events.Delivery) string {
	if d == events.DeliveryPoll {
		return "polling"
	}
	return "callback, or by asking the vendor when that stays away"
}

func (t *teller) completed() {
	j := t.job
	t.Headline = fmt.Sprintf("The video is made: %s after it was put on the queue.", Span(Took(j)))
	t.Money = t.price("")
	if j.Result == nil {
		return
	}
	t.known("the verdict came by %s", j.Result.Via)
	link := "the vendor gave no link"
	if j.Result.OutputURL != nil {
		link = "the vendor's link is " + *j.Result.OutputURL
		t.unknown("how long the vendor's link lives")
	}
	if j.Result.OutputURLProblem != "" {
		link += " (" + j.Result.OutputURLProblem + ")"
	}
	t.Video = t.archive(link)
}

// archive says where the video lies, and what to do where it does not.
func (t *teller) archive(link string) string {
	a := t.job.Archive
	switch a.State {
	case job.ArchiveStored:
		place := "s3://" + a.Bucket + "/" + a.Key
		t.next("aws s3 cp "+place+" .", "Nothing needs doing. To fetch the video:")
		return fmt.Sprintf("It lies in your bucket at %s, %d bytes; %s", place, a.Size, link)
	case job.ArchivePending:
		return "It is to be copied to your bucket; " + link
	case job.ArchiveFailed:
		t.next("", "The copy to your bucket failed for good. Fetch the vendor's link while it lives.")
		return fmt.Sprintf("It could not be copied to your bucket: %s; %s", a.Message, link)
	case job.ArchiveNone:
	}
	return "It is not copied to a bucket of yours; " + link
}

func (t *teller) failed() {
	j := t.job
	t.Headline = "The vendor could not make it."
	t.Money = "The vendor did not say whether it charges for this: ask it."
	if c := Credits(j); c != nil {
		t.Money = fmt.Sprintf("The vendor named %d credits, though it failed. Whether they are refunded cannot be seen from here: ask the vendor.", *c)
	}
	t.Money += t.second()
	if j.Result != nil {
		t.known("the vendor's reason: %s", j.Result.ErrorMessage)
		t.known("the verdict came by %s", j.Result.Via)
	}
	retry := "clipqueue retry " + j.ID
	t.next(retry, "If it is trouble of the vendor's own, wait a while, then try the same again, as a new job that is paid for anew:")
	t.next(retry+" --set-model NAME", "If the model is at fault, try another:")
	t.next(retry+` --set 'prompt="..."'`, "If the vendor objects to the prompt, change it:")
}

func (t *teller) rejected() {
	r := t.job.Reason
	t.Headline = "It was refused: " + r.Message + "."
	if r.Code == events.CodeCancelled {
		t.Headline = "It was " + r.Message + "."
	}
	t.Money = t.unpaid("Nothing was paid for it.")
	if t.job.Rejection {
		t.known("this is a message that was refused, %s its message id; no job was touched", t.job.ID)
	}
	if r.ClaimedJobID != "" {
		t.known("the message asked for the job_id %s", r.ClaimedJobID)
	}
	if r.Field != "" {
		t.known("the field that is wrong is %s", r.Field)
	}
	if r.Excerpt != "" {
		t.known("the message begins with %s", strconv.Quote(r.Excerpt))
	}
	switch r.Code {
	case events.CodeInvalid:
		t.next("clipqueue submit -f FILE --check", "Correct the message and send it again. To check messages before they are sent:")
	case events.CodeOtherPayload:
		t.next("clipqueue why "+r.ClaimedJobID, "Send it under a job_id of its own. To see the job that has this one:")
	case events.CodeRefused:
		t.next("", "Change what the vendor objects to, and send it under a new job_id.")
	case events.CodeCancelled:
		t.next("clipqueue retry "+t.job.ID, "To submit it after all, as a new job:")
	case events.CodeInternal:
		t.next("clipqueue doctor", "It never reached the vendor: look at the log of the submit function, then send it again.")
	}
}

func (t *teller) expired() {
	j := t.job
	t.Headline = "It ended without a verdict: " + j.Reason.Message + "."
	switch {
	case j.GenerationID != "":
		t.Money = t.price("at its acceptance; it may have been charged")
		t.known("a late verdict still counts; the vendor is asked again 6, 24 and 72 hours after the expiry")
		t.unknown("whether the vendor finished it")
		t.next("clipqueue recheck "+j.ID, "Ask the vendor now:")
		t.next("clipqueue retry "+j.ID, "If the vendor has given it up, make it anew:")
	case Unanswered(j):
		t.Money = "It may have been charged; the price is not known."
		t.unknown("whether the vendor had accepted it")
		t.known("a late callback still counts")
		t.resolve()
		t.next("clipqueue retry "+j.ID+" --even-if-charged", "To make it anew, even if it is paid for twice:")
	default:
		if t.Money = t.unpaid("Nothing was paid for it."); j.InDoubt() {
			t.Headline = "It ended without a verdict: the vendor did not accept the prompt by the deadline."
		}
		t.next("clipqueue retry "+j.ID, "To try it again, as a new job:")
	}
}

// outbox says which events are not out yet.
func (t *teller) outbox() {
	if len(t.job.Owed) == 0 {
		return
	}
	var names []string
	for _, o := range t.job.Owed {
		names = append(names, strconv.Quote(string(o.Type)))
	}
	t.unknown("whether all is on the bus yet, which is sent until it is: %s", strings.Join(names, ", "))
}

func (t *teller) lastWhy() string {
	if len(t.job.History) == 0 {
		return "no reason is recorded"
	}
	return t.job.History[len(t.job.History)-1].Why
}

// MayBeCharged says whether the vendor accepted the job, or may have.
func MayBeCharged(j job.Job) bool {
	switch j.State {
	case job.Submitting, job.Unconfirmed, job.Processing, job.Completed, job.Failed:
		return true
	case job.Queued, job.Rejected, job.Expired:
	}
	return j.GenerationID != "" || Unanswered(j) || j.InDoubt()
}

// Unanswered says whether the job ended while the answer to its last submit was
// lost, and nobody has said since what became of it.
func Unanswered(j job.Job) bool {
	return j.State == job.Expired && j.GenerationID == "" && before(j) != job.Queued
}

// Began is when the job was first put on the queue. EnqueuedAt is later once an
// operator has put it there again: then all that is known is when it was stored.
func Began(j job.Job) time.Time {
	if j.CreatedAt.Before(j.EnqueuedAt) {
		return j.CreatedAt
	}
	return j.EnqueuedAt
}

// Took is how long the job took from the queue to its verdict; 0 while it has none.
func Took(j job.Job) time.Duration {
	if j.SettledAt.IsZero() {
		return 0
	}
	return j.SettledAt.Sub(Began(j))
}

// before is the state that the job was in before the last.
func before(j job.Job) job.State {
	if len(j.History) < 2 {
		return job.Unconfirmed // not known: the worst is assumed
	}
	return j.History[len(j.History)-2].State
}

// Credits are what the vendor says it charges; nil when it did not say.
func Credits(j job.Job) *int64 {
	if j.Result != nil && j.Result.Charge.Credits != nil {
		return j.Result.Charge.Credits
	}
	return j.Acceptance.Credits
}

// price says what the vendor charges, as of some moment, and what it may charge beside.
func (t *teller) price(when string) string {
	text := "The vendor did not say what it charges"
	if c := Credits(t.job); c != nil {
		which := ""
		if t.job.InDoubt() && !t.job.AcceptedAt.IsZero() {
			which = " for the last submit"
		}
		text = fmt.Sprintf("%d credits%s, as the vendor says", *c, which)
	}
	if when != "" {
		text += " " + when
	}
	return text + "." + t.second()
}

// second is the word that another submit of the job may be charged too; empty
// where there can be none.
func (t *teller) second() string {
	switch {
	case !t.job.InDoubt():
		return ""
	case t.job.AcceptedAt.IsZero(): // its generation may be that of either
		return " The answer to a submit was lost, and another was allowed: if the vendor accepted both, both are charged."
	}
	return " The answer to an earlier submit was lost, and that it was not accepted is an operator's word: if the vendor had it after all, it is charged too."
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
