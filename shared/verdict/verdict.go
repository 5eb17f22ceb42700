// Package verdict turns what the vendor says of a generation into a verdict on a
// job, the same for a callback and for the answer to a question.
package verdict

import (
	"net/url"
	"strings"
	"time"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
)

// The longest that is stored of what the vendor says; the whole is in the
// callback's raw body. A job's row has to stay under DynamoDB's 400 KB.
const (
	maxText  = 16 << 10
	maxURL   = 8 << 10
	maxShort = 1 << 10
)

// Of is the verdict, and false when the vendor is not finished.
func Of(g creativeai.Generation, at time.Time) (job.Verdict, bool) {
	v := job.Verdict{At: at, GenerationID: g.ID, Result: job.Result{
		Charge: job.Charge{
			ModelActual: Cut(g.ModelActual, maxShort), Credits: g.Credits, FailoverUsed: g.FailoverUsed,
		},
		CompletedAt: Cut(g.CompletedAt, maxShort), Via: events.ViaCallback,
	}}
	switch g.Verdict() {
	case creativeai.Succeeded:
		v.State = job.Completed
		v.Result.OutputURL, v.Result.OutputURLProblem = output(g.OutputURL)
	case creativeai.Failed:
		v.State = job.Failed
		v.Result.ErrorMessage = Cut(g.Error, maxText)
		if v.Result.ErrorMessage == "" {
			v.Result.ErrorMessage = "the vendor gave no reason"
		}
	case creativeai.Pending:
		return job.Verdict{}, false
	}
	return v, true
}

// output keeps the vendor's URL as it was given, and says why there is nothing to
// try. Whether http or an address may be downloaded from is the archive's to judge.
func output(raw string) (given *string, problem string) {
	switch {
	case raw == "":
		return nil, "the vendor gave no output_url"
	case len(raw) > maxURL:
		return nil, "the vendor's output_url is longer than 8 KB, and left out"
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return &raw, "the vendor's output_url is not a URL"
	case !u.IsAbs() || u.Host == "":
		return &raw, "the vendor's output_url is not an absolute URL"
	case !strings.EqualFold(u.Scheme, "https") && !strings.EqualFold(u.Scheme, "http"):
		return &raw, "the vendor's output_url is not https"
	}
	return &raw, ""
}

// Cut shortens a text of the vendor's to so many bytes, its mark "… (cut)"
// included, whole characters only.
func Cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const mark = "… (cut)"
	return strings.ToValidUTF8(s[:most-len(mark)], "") + mark
}
