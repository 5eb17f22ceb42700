package functions_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var (
	tryMutants  = flag.Bool("mutants", false, "switch each safeguard off in turn, and see the simulation find it")
	mutantSeeds = flag.Uint64("mutant-seeds", 6000, "how many seeds the simulation has to find a mutant")
	oneMutant   = flag.String("mutant", "", "try only the mutants whose name contains this")
)

// mutant is the product with one safeguard switched off.
type mutant struct {
	safeguard string
	// file is below the module's root; old occurs in it exactly once.
	file, old, new string
}

// mutants are the safeguards that the promises rest on.
var mutants = []mutant{
	{
		"claim: a job is POSTed while it is claimed", "shared/job/rules.go",
		"case j.State == Submitting:\n\t\treturn j, ErrClaimed\n\tcase j.State != Queued:", "case j.State != Queued && j.State != Submitting:",
	},
	{
		"duplicate rule: a message is acknowledged while a claim lives", "shared/job/rules.go",
		"case j.State == Submitting:\n\t\treturn j, ErrClaimed", "case j.State == Submitting:\n\t\treturn j, ErrDuplicate",
	},
	{
		"duplicate rule: a settled job is submitted again", "shared/job/rules.go",
		"case j.State != Queued:\n\t\treturn j, ErrDuplicate", "case j.State == Rejected:\n\t\treturn j, ErrDuplicate",
	},
	{
		"payload: another payload counts as the same job", "shared/job/rules.go",
		"case f.PayloadHash != j.PayloadHash:\n\t\treturn j, ErrOtherPayload\n", "",
	},
	{
		"attempt number: any attempt's answer counts", "shared/job/rules.go",
		"(j.State == Submitting || j.State == Unconfirmed) && j.Attempt == attempt", "(j.State == Submitting || j.State == Unconfirmed) && attempt > 0",
	},
	{
		"unconfirmed: a lost answer is tried again", "functions/submit/post.go",
		"case creativeai.Unknown:\n\t}", "case creativeai.Unknown:\n\t\treturn h.putBack(ctx, log, m, j, outcome, env.MetricNotNow)\n\t}",
	},
	{
		"unconfirmed: a claim that ran out is queued again", "shared/job/rules.go",
		"return r.move(j, Unconfirmed, f.At, \"the claim ran out without an answer\"), nil", "return r.move(j, Queued, f.At, \"the claim ran out without an answer\"), nil",
	},
	{
		"breaker: it never opens", "functions/submit/gate.go",
		"g.until = now.Add(wait)", "g.until = now",
	},
	{
		"signature: any will do", "functions/webhook/webhook.go",
		"if creativeai.Verify(body, signature, current, previous) == nil {", "if creativeai.Verify(body, signature, current, previous) == nil || signature != \"\" {",
	},
	{
		"previous key: it does not verify", "shared/creativeai/signature.go",
		"for _, key := range keys {", "for _, key := range keys[:1] {",
	},
	{
		"token: it is not compared", "shared/job/rules.go",
		"case f.Token != \"\" && f.Token != j.Token:\n\t\treturn ErrForeign\n", "",
	},
	{
		"generation: any will do", "shared/job/rules.go",
		"case j.GenerationID != \"\" && j.GenerationID != f.GenerationID:\n\t\treturn ErrForeign\n", "",
	},
	{
		"first verdict: the last one stands", "shared/job/job.go",
		"case Queued, Submitting, Unconfirmed, Processing, Expired:\n\t\treturn true\n\tcase Completed, Failed, Rejected:\n\t\treturn false",
		"case Queued, Submitting, Unconfirmed, Processing, Expired, Completed, Failed:\n\t\treturn true\n\tcase Rejected:\n\t\treturn false",
	},
	{
		"late verdict: it does not win over an expiry", "shared/job/job.go",
		"case Queued, Submitting, Unconfirmed, Processing, Expired:\n\t\treturn true\n\tcase Completed, Failed, Rejected:\n\t\treturn false",
		"case Queued, Submitting, Unconfirmed, Processing:\n\t\treturn true\n\tcase Completed, Failed, Rejected, Expired:\n\t\treturn false",
	},
	{
		"quarantine: what fits no job is dropped", "functions/webhook/webhook.go",
		"err := h.Jobs.Quarantine(ctx, store.Quarantined{Path: path, Body: body, Reason: why, At: h.Now()})", "err := error(nil)",
	},
	{
		"webhook: 2xx before the durable write", "functions/webhook/webhook.go",
		"return refused(http.StatusServiceUnavailable)\n}\n\n// address", "return received()\n}\n\n// address",
	},
	{
		"conditional version: a write does not look what stands", "shared/store/memory/memory.go",
		"return current.Version == prev.Version &&", "return current.Version >= prev.Version &&",
	},
	{
		"outbox marker: it goes before the events are out", "functions/publish/publish.go",
		"for i, im := range images[:done] {\n\t\tif im.poison == nil && last(images[:done], i) {", "for i, im := range images {\n\t\tif im.poison == nil && last(images, i) {",
	},
	{
		"acceptance that cannot be stored: no loop carries it", "functions/submit/post.go",
		"if unstored || (", "if unstored && after.Version < 0 || (",
	},
	{
		"poll: an acceptance from the loop's input is ignored", "functions/poll/poll.go",
		"if j.GenerationID == in.GenerationID {\n\t\treturn j, nil\n\t}", "if j.GenerationID == in.GenerationID || j.GenerationID == \"\" {\n\t\treturn j, nil\n\t}",
	},
	{
		"reconcile: a claim that ran out stays", "shared/job/due.go",
		"if j.State == Submitting && !now.Before(j.ClaimUntil) {", "if j.State == Submitting && false {",
	},
	{
		"reconcile: no deadline", "shared/job/due.go",
		"if end, ok := r.deadlineOf(j); ok && !now.Before(end) {", "if end, ok := r.deadlineOf(j); ok && !now.Before(end) && false {",
	},
	{
		"reconcile: the vendor is not asked", "functions/reconcile/look.go",
		"case job.Processing, job.Expired:", "case job.Expired:",
	},
	{
		"reconcile: an expired job is not asked about again", "functions/reconcile/look.go",
		"case job.Processing, job.Expired:", "case job.Processing:",
	},
	{
		"reconcile: a lost message is not sent again", "functions/reconcile/look.go",
		"case r.Rules.NeedsMessage(j, now):\n\t\treturn r.sendAgain(ctx, log, j)\n", "",
	},
	{
		"reconcile: what is unpublished is not touched", "functions/reconcile/look.go",
		"case j.DueAt.IsZero(), j.DueAt.After(r.Now()):", "case j.DueAt.IsZero(), j.DueAt.After(r.Now()), len(j.Owed) > 0 && j.State.Settled():",
	},
	{
		"lease: two may hold it", "shared/store/store.go",
		"next.LeaseID = rand.Text()", "next.LeaseID, _ = rand.Text(), 0\n\tnext.LeaseID = \"\"",
	},
}

// TestMutants switches each safeguard off and sees the simulation find it, with
// -mutants (make mutants); without, it only sees that the list fits the code.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		if !strings.Contains(m.safeguard, *oneMutant) {
			continue
		}
		t.Run(m.safeguard, func(t *testing.T) {
			source, err := os.ReadFile(filepath.Join("..", m.file))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), m.old); n != 1 {
				t.Fatalf("%s has the safeguard %d times: bring the list of mutants up to date", m.file, n)
			}
			if *tryMutants {
				m.find(t, strings.Replace(string(source), m.old, m.new, 1))
			}
		})
	}
}

// find runs the simulation with the mutated file laid over the true one.
func (m mutant) find(t *testing.T, mutated string) {
	t.Helper()
	dir := t.TempDir()
	original, err := filepath.Abs(filepath.Join("..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	replacement, overlay := filepath.Join(dir, "mutated.go"), filepath.Join(dir, "overlay.json")
	layer, err := json.Marshal(map[string]map[string]string{"Replace": {original: replacement}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{replacement: []byte(mutated), overlay: layer} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "-run", "^TestPromises$", "-v",
		"-seeds", fmt.Sprint(*mutantSeeds), ".").CombinedOutput()
	found := ""
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "_test.go:") && strings.Contains(line, ": seed ") && !strings.Contains(line, "alone:") {
			found = strings.TrimSpace(line)
			break
		}
	}
	switch {
	case err == nil:
		t.Errorf("%d seeds did not notice", *mutantSeeds)
	case found == "":
		t.Errorf("the simulation failed, but not by breaking a promise:\n%s", out)
	default:
		t.Log(found)
	}
}
