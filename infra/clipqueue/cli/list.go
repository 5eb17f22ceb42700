package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/strictjson"
)

// filter is which jobs are meant.
type filter struct {
	states []string
	since  string
	until  string
	model  string
	meta   []string
	limit  int
	read   int
}

// flags adds the filter's flags.
func (f *filter) flags(flags *pflag.FlagSet, limit, read int) {
	flags.StringSliceVar(&f.states, "state", nil, "only these states, separated by commas")
	flags.StringVar(&f.since, "since", "24h", "created since: an age (90m, 12h, 7d) or a time (2026-11-25, 2026-11-25T15:04:05Z)")
	flags.StringVar(&f.until, "until", "", "created before: an age or a time (default now)")
	flags.StringVar(&f.model, "model", "", "only jobs that asked for this model, or that it made")
	flags.StringArrayVar(&f.meta, "meta", nil, "only jobs whose metadata have this: key=value; may be repeated")
	flags.IntVar(&f.limit, "limit", limit, "find at most so many")
	flags.IntVar(&f.read, "read", read, "read at most so many records")
}

// completeStates offers the states to the shell.
func completeStates(c *cobra.Command) {
	must(c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(stateNames(), cobra.ShellCompDirectiveNoFileComp)))
}

func stateNames() []string {
	var names []string
	for _, s := range job.States() {
		names = append(names, string(s))
	}
	return names
}

// search is a filter that has been checked.
type search struct {
	filter
	since, until time.Time
	meta         map[string]string
}

func (f filter) check(now time.Time) (search, error) {
	s := search{filter: f, until: now, meta: map[string]string{}}
	var err error
	if s.since, err = moment(f.since, now); err != nil {
		return s, usage("--since: %v", err)
	}
	if f.until != "" {
		if s.until, err = moment(f.until, now); err != nil {
			return s, usage("--until: %v", err)
		}
	} else {
		s.until = now.Add(time.Minute) // another machine's clock may be ahead
	}
	if s.since.After(now) {
		return s, usage("--since %s lies in the future", f.since)
	}
	if !s.until.After(s.since) {
		return s, usage("--until %s is not after --since %s", s.until.Format(time.RFC3339), s.since.Format(time.RFC3339))
	}
	for _, state := range f.states {
		if !slices.Contains(job.States(), job.State(state)) {
			return s, usage("--state: there is no state %q: there are %s", state, strings.Join(stateNames(), ", "))
		}
	}
	for _, pair := range f.meta {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return s, usage("--meta %q: write key=value", pair)
		}
		s.meta[key] = value
	}
	if f.limit < 1 || f.read < 1 {
		return s, usage("--limit and --read take at least 1")
	}
	return s, nil
}

var errMoment = errors.New("write an age such as 90m, 12h or 7d, or a time such as 2026-11-25 or 2026-11-25T15:04:05Z")

// age reads how long ago something was.
func age(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = errMoment
	}
	return d, err
}

// moment reads an age, or a time in UTC.
func moment(text string, now time.Time) (time.Time, error) {
	if d, err := age(text); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly, "2006-01-02T15:04", "2006-01-02 15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q: %w", text, errMoment)
}

// window says in words which time is searched, and the flags that say so.
func (s search) window() string {
	const layout = "2006-01-02 15:04:05 UTC"
	flags := "--since " + s.filter.since
	if s.filter.until != "" {
		return fmt.Sprintf("from %s to %s (%s --until %s)", s.since.UTC().Format(layout), s.until.UTC().Format(layout), flags, s.filter.until)
	}
	if _, err := age(s.filter.since); err == nil {
		return fmt.Sprintf("in the last %s (%s)", s.filter.since, flags)
	}
	return fmt.Sprintf("since %s (%s)", s.since.UTC().Format(layout), flags)
}

// matches says whether a job is meant.
func (s search) matches(j job.Job) bool {
	if len(s.states) > 0 && !slices.Contains(s.states, string(j.State)) {
		return false
	}
	if s.model != "" && s.model != j.Model && (j.Result == nil || s.model != j.Result.Charge.ModelActual) && s.model != j.Acceptance.ModelActual {
		return false
	}
	if len(s.meta) == 0 {
		return true
	}
	members, err := strictjson.Object([]byte(j.Metadata))
	if err != nil {
		return false
	}
	for key, want := range s.meta {
		value, ok := members[key]
		if !ok || plain(value) != want {
			return false
		}
	}
	return true
}

// plain is a string's text, and of any other value its JSON.
func plain(value jsontext.Value) string {
	var text string
	if value.Kind() == jsontext.KindString && strictjson.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// found is how a search ended.
type found struct {
	jobs int
	read int
	// next is where to go on, when there may be more: jobs created before it.
	next time.Time
}

// each calls do with every job that is meant, newest first, reading the index
// of creation times and the records, a page at a time. It stops at the limits,
// but never between two jobs of one millisecond, so that it can go on from there.
func (s search) each(ctx context.Context, l lists, do func(job.Job) error) (found, error) {
	var f found
	var keys []string
	var last time.Time
	flush := func() error {
		jobs, err := l.Many(ctx, keys)
		if err != nil {
			return err
		}
		f.read += len(keys)
		keys = keys[:0]
		for _, j := range jobs {
			if f.jobs >= s.limit && !j.CreatedAt.Equal(last) {
				f.next = last
				return nil
			}
			if !s.matches(j) {
				continue
			}
			last = j.CreatedAt
			f.jobs++
			if err := do(j); err != nil {
				return err
			}
		}
		return nil
	}
	var at time.Time
	for entry, err := range l.CreatedBetween(ctx, s.since, s.until) {
		if err != nil {
			return f, err
		}
		if len(keys) >= min(100, s.read-f.read) && !entry.At.Equal(at) {
			if err := flush(); err != nil || !f.next.IsZero() {
				return f, err
			}
			if f.read >= s.read {
				f.next = at
				return f, nil
			}
		}
		keys, at = append(keys, entry.Key), entry.At
	}
	return f, flush()
}

func (r *root) listCommand() *cobra.Command {
	var f filter
	var videos bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List jobs, the newest first",
		Long: `List jobs and refused messages, the newest first.

It reads the index of creation times, and the records of the time asked for until it has found
--limit of them or read --read; it then says where to go on. It never scans the table. Records are
read at half price, and may be a second old.

A prompt is sent when it is put on the queue, and its record created when it is first taken from
there: the order, --since and --until go by that. It took from when it was sent to its verdict.

--videos shows where the videos lie instead: in your bucket, or at the vendor's link, which may not
live long.`,
		Example: example(
			"clipqueue list",
			"clipqueue list --state failed,expired --since 7d",
			"clipqueue list --meta customer=c-7 --model kling-v3 --limit 100",
			"clipqueue list --videos --since 7d",
			"clipqueue list --since 2026-11-25 --until 2026-11-26 -o json | jq -r .job_id",
		),
		Args: cobra.NoArgs,
		RunE: r.connected(func(ctx context.Context, s *Services, _ []string) error { return r.list(ctx, s, f, videos) }),
	}
	f.flags(c.Flags(), 50, 5000)
	c.Flags().BoolVar(&videos, "videos", false, "only completed jobs, each with the place of its video")
	completeStates(c)
	return c
}

func (r *root) list(ctx context.Context, s *Services, f filter, videos bool) error {
	if videos && len(f.states) > 0 {
		return usage("--videos shows completed jobs: leave --state out")
	}
	t, row := r.table("job", "state", "sent", "took", "model", "credits", "what"), r.jobRow
	if videos {
		f.states = []string{string(job.Completed)}
		t, row = r.table("job", "video", "which is"), videoRow
	}
	query, err := f.check(r.app.Now())
	if err != nil {
		return err
	}
	result, err := query.each(ctx, s.Lists, func(j job.Job) error {
		if r.json() {
			return r.print(viewOf(j))
		}
		t.AppendRow(row(j))
		return nil
	})
	if !r.json() && t.Length() > 0 {
		t.Render()
	}
	if err != nil {
		return err
	}
	r.note("%s created %s, of %s read", plural(result.jobs, "job"), query.window(), plural(result.read, "record"))
	if !result.next.IsZero() {
		r.note("there may be more: go on with --until %s", result.next.UTC().Format(time.RFC3339Nano))
	}
	if r.json() || videos {
		return nil
	}
	if n := waiting(ctx, s); n > 0 {
		r.note("%s on the queue: what was not tried yet has no record, and is not listed", waits(n))
	}
	return nil
}

// jobRow is a job in the list.
func (r *root) jobRow(j job.Job) []any {
	took := ""
	if !j.SettledAt.IsZero() {
		took = story.Span(story.Took(j))
	}
	return []any{j.ID, r.state(j.State), story.Distance(story.Began(j), r.app.Now()), took, viewOf(j).shownModel(), number(story.Credits(j)), short(remark(j), 60)}
}

// videoRow is a completed job in the list of videos.
func videoRow(j job.Job) []any {
	link := ""
	if j.Result != nil && j.Result.OutputURL != nil {
		link = *j.Result.OutputURL
	}
	switch j.Archive.State {
	case job.ArchiveStored:
		return []any{j.ID, "s3://" + j.Archive.Bucket + "/" + j.Archive.Key, "in your bucket"}
	case job.ArchivePending:
		return []any{j.ID, link, "the vendor's link; being copied to your bucket"}
	case job.ArchiveFailed:
		return []any{j.ID, link, "the vendor's link; it could not be copied"}
	case job.ArchiveNone:
	}
	return []any{j.ID, link, "the vendor's link; it is not copied"}
}

// shownModel is the provider that did the work, or what was asked for.
func (v jobView) shownModel() string {
	if v.ModelActual != "" {
		return v.ModelActual
	}
	return v.Model
}

func number(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}
