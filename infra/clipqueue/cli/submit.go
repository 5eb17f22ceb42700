package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/infra/clipqueue/prompts"
	"github.com/clipqueue/clipqueue/shared/request"
)

// submitFlags are submit's.
type submitFlags struct {
	file, batch          string
	check, skipInvalid   bool
	wait, dry            bool
	jobID, model, ratio  string
	resolution, delivery string
	duration             int
	failover             bool
	metadata, set        []string
	columns              []string
	changed              func(string) bool
}

func (r *root) submitCommand() *cobra.Command {
	var f submitFlags
	c := &cobra.Command{
		Use:   "submit [PROMPT]",
		Short: "Put prompts on the queue, one or a file of them",
		Long: `Put a prompt, or a file of prompts, on the queue. Each is checked first, by the rules that the
bundle itself goes by; if one row of a file is wrong, none is sent.

A file has JSON lines, each a queue message, or is CSV: its header names the fields, metadata.NAME
goes into the metadata (as text), empty cells are left out, other columns go to the vendor.

A row without job_id gets one made of its content. Sent again unchanged, a row is the same job.
Correct a row that was refused, and only that row is new; change any cell or column name of a row
that was sent, and it is another job, paid for anew. A job_id column makes you independent of that.
A row that occurs twice in a file is two jobs. To make the same videos anew, give another --batch.
A single PROMPT without --job-id is a new job each time.

The job_ids are looked up before anything is sent, to tell new jobs from known ones; that costs one
read each, about 1 US cent for 100,000. A row whose job_id is that of a known job with another
content is wrong too, and is not sent. A known job that failed is not made again: see retry. A
prompt that still waits on the queue has no record, and counts as new; it is not paid twice either.`,
		Example: example(
			`clipqueue submit "A lighthouse at dusk" --duration 5 --meta order=1042 --wait`,
			"clipqueue submit -f prompts.csv --check",
			"clipqueue submit -f prompts.csv --dry-run",
			"clipqueue submit -f prompts.jsonl --wait",
			"generate-prompts | clipqueue submit -f - -o json",
		),
		Args: cobra.MaximumNArgs(1),
	}
	flags := c.Flags()
	flags.StringVarP(&f.file, "file", "f", "", `file of prompts, JSON lines or CSV; "-" is standard input`)
	flags.BoolVar(&f.check, "check", false, "only check; needs no deployment")
	flags.BoolVar(&f.dry, "dry-run", false, "check, look the jobs up, and send nothing")
	flags.BoolVar(&f.skipInvalid, "skip-invalid", false, "send the rows of a file that are right, whatever the others are")
	flags.StringArrayVar(&f.columns, "allow-column", nil, "a `column` that looks like a field and is the vendor's; may be repeated")
	flags.StringVar(&f.batch, "batch", prompts.DefaultBatch, "begins the job_id of rows that have none; another one makes new jobs")
	flags.BoolVarP(&f.wait, "wait", "w", false, "follow the jobs to their verdicts; exits 1 if one did not complete")
	flags.StringVar(&f.jobID, "job-id", "", "the prompt's own key: sent again, it is the same job")
	flags.StringVar(&f.model, "model", "", "the vendor's model")
	flags.StringVar(&f.ratio, "aspect-ratio", "", "such as 16:9")
	flags.IntVar(&f.duration, "duration", 0, "length of the video in `seconds`")
	flags.StringVar(&f.resolution, "resolution", "", "such as 1080p")
	flags.BoolVar(&f.failover, "failover", false, "let the vendor use another provider; =false forbids it")
	flags.StringVar(&f.delivery, "delivery", "", "webhook or poll")
	flags.StringArrayVar(&f.metadata, "meta", nil, "metadata, handed back in every event: key=text; may be repeated")
	flags.StringArrayVar(&f.set, "set", nil, "a field that only the vendor knows: name=JSON; may be repeated")
	f.changed = flags.Changed
	c.MarkFlagsMutuallyExclusive("check", "dry-run")
	c.MarkFlagsMutuallyExclusive("dry-run", "wait")
	must(c.RegisterFlagCompletionFunc("delivery", cobra.FixedCompletions([]string{"webhook", "poll"}, cobra.ShellCompDirectiveNoFileComp)))
	c.RunE = unconnected(func(ctx context.Context, args []string) error { return r.submit(ctx, args, f) })
	return c
}

var batchName = regexp.MustCompile(fmt.Sprintf(`^[A-Za-z0-9_-]{1,%d}$`, prompts.MaxBatch))

func (r *root) submit(ctx context.Context, args []string, f submitFlags) error {
	read, err := r.rows(args, f)
	if err != nil {
		return err
	}
	n, bad, err := r.checkRows(read)
	if err != nil {
		return err
	}
	if err := f.stop(n, bad); err != nil {
		return err
	}
	if f.check {
		r.note("%s in order", plural(n, "prompt"))
		return nil
	}
	s, err := r.app.Connect(ctx, r.target())
	if err != nil {
		return err
	}
	known, err := lookUpRows(ctx, s, read(nil))
	if err != nil {
		return err
	}
	taken, err := r.checkTaken(read(nil), known)
	if err != nil {
		return err
	}
	n, bad = n-taken, bad+taken
	if err := f.stop(n, bad); err != nil {
		return err
	}
	if rows := known.withoutTaken(read(nil)); f.dry {
		err = r.rehearse(rows, known)
	} else {
		err = r.send(ctx, s, rows, n, known, f.wait)
	}
	if err == nil && bad > 0 {
		return &failure{fmt.Sprintf("left out, since wrong: %s of %d", plural(bad, "row"), n+bad), nil}
	}
	return err
}

// stop says why nothing is sent, where n rows are right and the others wrong.
func (f submitFlags) stop(n, bad int) error {
	switch {
	case f.check && bad > 0:
		return &failure{fmt.Sprintf("wrong: %s of %d", plural(bad, "row"), n+bad), nil}
	case bad > 0 && !f.skipInvalid:
		return &failure{fmt.Sprintf("wrong: %s of %d: nothing was sent. Correct them, or send the others with --skip-invalid", plural(bad, "row"), n+bad), nil}
	case n == 0:
		return &failure{"no row can be sent", nil}
	}
	return nil
}

// source reads the rows, from the beginning each time.
type source func(mind prompts.Minder) iter.Seq2[prompts.Row, error]

// rows are what is to be sent.
func (r *root) rows(args []string, f submitFlags) (source, error) {
	single := []string{"job-id", "model", "aspect-ratio", "duration", "resolution", "failover", "delivery", "meta", "set"}
	switch {
	case len(args) == 0 && f.file == "":
		return nil, usage("say a PROMPT, or a file of them with -f")
	case len(args) > 0 && f.file != "":
		return nil, usage("say a PROMPT or a file, not both")
	case len(args) > 0:
		row, err := f.single(args[0], r.app.NewID)
		return func(prompts.Minder) iter.Seq2[prompts.Row, error] {
			return func(yield func(prompts.Row, error) bool) { yield(row, nil) }
		}, err
	}
	for _, name := range single {
		if f.changed(name) {
			return nil, usage("--%s goes with a PROMPT; in a file each row has its own", name)
		}
	}
	if !batchName.MatchString(f.batch) {
		return nil, usage("--batch %q: use 1 to %d letters, digits, - and _", f.batch, prompts.MaxBatch)
	}
	file, err := r.open(f.file)
	if err != nil {
		return nil, err
	}
	return func(mind prompts.Minder) iter.Seq2[prompts.Row, error] {
		return func(yield func(prompts.Row, error) bool) {
			if _, err := file.Seek(0, io.SeekStart); err != nil {
				yield(prompts.Row{}, err)
				return
			}
			for row, err := range prompts.Read(file, f.batch, mind, f.columns...) {
				if !yield(row, err) {
					return
				}
			}
		}
	}, nil
}

// open opens a file that can be read twice; standard input is kept in one.
func (r *root) open(name string) (io.ReadSeeker, error) {
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the user's own choice
		if errors.Is(err, os.ErrNotExist) {
			return nil, absent("there is no file %s", name)
		}
		return file, err
	}
	file, err := os.CreateTemp("", "clipqueue-prompts-")
	if err != nil {
		return nil, fmt.Errorf("keep standard input: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil { // it lives as long as it is open
		return nil, fmt.Errorf("keep standard input: %w", err)
	}
	if _, err := io.Copy(file, r.app.In); err != nil {
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	return file, nil
}

// single is the message that a prompt and its flags make.
func (f submitFlags) single(prompt string, newID func() string) (prompts.Row, error) {
	fields := map[string]any{"prompt": prompt}
	for name, value := range map[string]string{
		"job_id": f.jobID, "model": f.model, "aspect_ratio": f.ratio, "resolution": f.resolution, "delivery": f.delivery,
	} {
		if value != "" {
			fields[name] = value
		}
	}
	if f.changed("duration") {
		fields["duration"] = f.duration
	}
	if f.changed("failover") {
		fields["failover"] = f.failover
	}
	metadata, err := pairs("--meta", f.metadata)
	if err != nil {
		return prompts.Row{}, err
	}
	if len(metadata) > 0 {
		fields["metadata"] = metadata
	}
	extra, err := pairs("--set", f.set)
	if err != nil {
		return prompts.Row{}, err
	}
	for name, value := range extra {
		if !jsontext.Value(value).IsValid() {
			return prompts.Row{}, usage(`--set %s: %q is no JSON: put texts in double quotes, as in --set 'style="noir"'`, name, value)
		}
		fields[name] = jsontext.Value(value)
	}
	body, err := json.Marshal(fields, json.Deterministic(true))
	if err != nil {
		return prompts.Row{}, usage("the prompt is not UTF-8: %v", err)
	}
	row, err := prompts.FromMessage(body, func(string) string { return "p-" + strings.ToLower(newID()[:16]) })
	if invalid, ok := errors.AsType[*request.Invalid](err); ok {
		return row, usage("%s", invalid.Problem)
	}
	return row, err
}

func pairs(flag string, list []string) (map[string]string, error) {
	values := map[string]string{}
	for _, pair := range list {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usage("%s %q: write name=value", flag, pair)
		}
		values[key] = value
	}
	return values, nil
}

// shownProblems is how many wrong rows, or others to mind, are told one by one.
const shownProblems = 20

// wrongView is a row that cannot be sent, as JSON.
type wrongView struct {
	Line  int    `json:"line"`
	JobID string `json:"job_id,omitempty"`
	Error string `json:"error"`
}

// checkRows goes through all rows and tells what is wrong, and what to mind.
func (r *root) checkRows(read source) (n, bad int, err error) {
	minded := 0
	rows := read(func(remark string) {
		if minded++; minded <= shownProblems {
			r.note("mind: %s", remark)
		}
	})
	for _, err := range rows {
		problem, one := errors.AsType[*prompts.Problem](err)
		switch {
		case err == nil:
			n++
		case !one:
			return n, bad, err
		default:
			bad++
			if err := r.wrong(problem, bad); err != nil {
				return n, bad, err
			}
		}
	}
	r.moreWrong(bad, "that are wrong")
	if minded > shownProblems {
		r.note("… and %d more to mind", minded-shownProblems)
	}
	return n, bad, nil
}

// checkTaken tells of the rows whose job_id a job with another content has, and
// counts them. Of a prompt in no file it is the error.
func (r *root) checkTaken(rows iter.Seq2[prompts.Row, error], k known) (taken int, err error) {
	const what = "its job_id is that of a known job, with another content"
	for row, err := range rows {
		switch {
		case err != nil || k.standing(row) != standingTaken:
			continue
		case row.Line == 0:
			return 1, &failure{row.JobID + ": " + what + ": not sent", nil}
		}
		taken++
		if err := r.wrong(&prompts.Problem{Place: row.Place, Field: "job_id", What: what}, taken); err != nil {
			return taken, err
		}
	}
	r.moreWrong(taken, "whose job_id is taken")
	return taken, nil
}

// moreWrong says of how many wrong rows nothing is told.
func (r *root) moreWrong(n int, which string) {
	if n > shownProblems && !r.json() {
		r.note("… and %s more %s", plural(n-shownProblems, "row"), which)
	}
}

// wrong tells of the nth row that cannot be sent.
func (r *root) wrong(p *prompts.Problem, nth int) error {
	if r.json() {
		return r.print(wrongView{p.Line, p.JobID, p.What})
	}
	if nth <= shownProblems {
		r.note("%v", p)
	}
	return nil
}
