package submit

// givenMost bounds what an instance remembers.
const givenMost = 4096

// given remembers which jobs the vendor's last generation ids were given to. An
// id belongs to one job; the table could tell for all instances, for one more
// write a job, which so odd a fault is not worth.
type given map[string]string

// to is the job that an id was first given to: this one, unless it is known.
func (g given) to(generationID, jobID string) (owner string) {
	if owner, known := g[generationID]; known {
		return owner
	}
	if len(g) >= givenMost {
		clear(g)
	}
	g[generationID] = jobID
	return jobID
}
