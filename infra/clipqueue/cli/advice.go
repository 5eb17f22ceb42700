package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/verdict"
)

// advice is how a callback in quarantine stands to its job now, and what to do with it.
type advice struct {
	// State is the job's now; empty without a job.
	State   job.State `json:"state,omitempty"`
	Why     string    `json:"why"`
	Do      string    `json:"do"`
	Command string    `json:"command"`
}

// adviceWidth is how wide advice gets in a table.
const adviceWidth = 80

func (a advice) lines() string {
	return wrapped(a.Why, adviceWidth) + "\n" + a.step()
}

// step is what to do, with its command.
func (a advice) step() string { return wrapped(a.Do, adviceWidth) + "\n  " + a.Command }

// adviser reads the jobs that callbacks name, as they are now, and returns what
// gives advice on each.
func (r *root) adviser(ctx context.Context, s *Services, list []store.Held) (func(store.Held) advice, error) {
	rules, err := s.Stack.Rules(ctx)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, h := range list {
		if id, _ := addressOf(h.Path); id != "" {
			keys = append(keys, job.Key(id))
		}
	}
	jobs, err := s.Lists.Many(ctx, keys)
	if err != nil {
		return nil, err
	}
	known := map[string]job.Job{}
	for _, j := range jobs {
		known[j.ID] = j
	}
	return func(h store.Held) advice {
		id, token := addressOf(h.Path)
		g, err := creativeai.ParseCallback(h.Body)
		v, final := verdict.Of(g, r.app.Now())
		if err != nil || !final {
			return dropIt(h, "", "no verdict can be read in it", "It is of no use:")
		}
		v.Token = token
		switch j, ok := known[id]; {
		case id == "":
			return giveIt(h, "", "its path names no job", "If you know the job, give it to it:", "JOB")
		case !ok:
			return giveIt(h, "", "it names the job "+id+", of which there is no record", "If it belongs to another job, give it to that; else drop it:", "JOB")
		default:
			return adviseOn(h, j, v, rules)
		}
	}, nil
}

// adviseOn says what a replay would do, and what the person has to find out.
func adviseOn(h store.Held, j job.Job, v job.Verdict, rules job.Rules) advice {
	is := fmt.Sprintf("%s is %s", j.ID, j.State)
	_, err := rules.Apply(j, v)
	switch {
	case err == nil:
		return advice{j.State, "it did not fit when it came; now " + is + ", and it does", "Take it:", "clipqueue quarantine replay " + brief(h)}
	case j.GenerationID == v.GenerationID && j.State == v.State:
		return dropIt(h, j.State, j.ID+" has this verdict already", "Nothing is lost by dropping it:")
	case errors.Is(err, job.ErrContradiction) && j.State == job.Rejected:
		return dropIt(h, j.State, is+", and the vendor made it all the same ("+string(v.State)+"), perhaps for money", "Settle it with the vendor, then drop it:")
	case errors.Is(err, job.ErrContradiction):
		return dropIt(h, j.State, is+", and this says "+string(v.State)+": the first verdict stands", "Ask the vendor which is right, then drop it:")
	case j.GenerationID != "" && j.GenerationID != v.GenerationID:
		return giveIt(h, j.State, fmt.Sprintf("%s has the generation %s, and this is about %s", j.ID, j.GenerationID, short(v.GenerationID, 40)),
			"Ask the vendor whose it is. If it belongs to another job, give it to that; else drop it:", "JOB")
	case j.GenerationID != "":
		return giveIt(h, j.State, "its path does not prove that it means "+j.ID+"; but that is its generation, and "+is, "It is safe to give it to it:", j.ID)
	}
	return giveIt(h, j.State, "its path names "+j.ID+" without the proof that it means that job, which is "+string(j.State),
		"If the vendor says that it belongs to it, give it to it:", j.ID)
}

func dropIt(h store.Held, state job.State, why, do string) advice {
	return advice{state, why, do, "clipqueue quarantine drop " + brief(h)}
}

func giveIt(h store.Held, state job.State, why, do, to string) advice {
	return advice{state, why, do, "clipqueue quarantine replay " + brief(h) + " --to " + to}
}

func brief(h store.Held) string { return h.ID()[:min(len(h.ID()), shortID)] }
