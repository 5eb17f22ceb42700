package job

import "slices"

// InDoubt says whether an operator put the job on the queue again after the
// answer to a submit was lost: that the vendor did not accept that one is the
// operator's word. Nobody else puts a job back, which is when EnqueuedAt is set anew.
func (j Job) InDoubt() bool {
	if len(j.History) == 0 || !j.EnqueuedAt.After(j.History[0].At) {
		return false
	}
	back := slices.IndexFunc(j.History, func(s Step) bool { return s.State == Queued && s.At.Equal(j.EnqueuedAt) })
	if back < 0 {
		return true // the step has been dropped: the worst is assumed
	}
	return slices.ContainsFunc(j.History[:back], func(s Step) bool { return s.State == Unconfirmed })
}
