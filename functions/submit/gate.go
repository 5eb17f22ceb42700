package submit

import "time"

// The waits of a message that goes back, and of a gate that is open.
const (
	firstWait   = 5 * time.Second
	longestWait = 15 * time.Minute
	// Up to so many receives the wait stays short: a message is turned away by a
	// breaker that another one opened, more often than by the vendor.
	fewReceives = 6
	// From so many receives on a message waits longer, so that 14 days of
	// waiting never reach the redrive policy's 1,000.
	manyReceives = 400
	patientWait  = time.Hour
	// longestGate is the longest that an instance stays away from the vendor.
	longestGate = 5 * time.Minute
	// longestRest is the longest that an invocation waits for an open breaker.
	longestRest = 30 * time.Second
)

// gate is the breaker and the pace of one instance. After an answer that was no
// acceptance and no refusal of the prompt it is open: nothing is claimed until
// its time has come, and then one probe; an acceptance closes it.
type gate struct {
	random   func() float64
	every    time.Duration
	next     time.Time
	failures int
	until    time.Time
	// justOpened says that the batch at hand opened it.
	justOpened bool
}

func newGate(perMinute float64, random func() float64) *gate {
	g := &gate{random: random}
	if perMinute > 0 {
		g.every = time.Duration(float64(time.Minute) / perMinute)
	}
	return g
}

// open says whether the vendor is being left alone.
func (g *gate) open() bool { return g.failures > 0 }

// wait is how long it is until the next claim is allowed.
func (g *gate) wait(now time.Time) time.Duration {
	return max(g.until.Sub(now), g.next.Sub(now), 0)
}

// sent counts a POST towards the pace.
func (g *gate) sent(now time.Time) {
	if g.every > 0 {
		g.next = now.Add(g.every)
	}
}

// accepted closes the breaker.
func (g *gate) accepted() { g.failures, g.until = 0, time.Time{} }

// fail opens the breaker, for at least so long, and returns for how long.
func (g *gate) fail(now time.Time, atLeast time.Duration) time.Duration {
	wait := jitter(min(firstWait<<min(g.failures, 10), longestGate), g.random())
	wait = max(wait, min(atLeast, longestWait))
	g.failures++
	g.justOpened = true
	g.until = now.Add(wait)
	return wait
}

// backoff is how long a message stays away when it was received so often;
// random is in [0, 1).
func backoff(receives int, random float64) time.Duration {
	if receives > manyReceives {
		return jitter(patientWait, random)
	}
	return jitter(min(firstWait<<min(max(receives-fewReceives, 0), 10), longestWait), random)
}

// jitter takes up to a fifth off, so that what failed together does not come back together.
func jitter(d time.Duration, random float64) time.Duration {
	return d - time.Duration(float64(d)/5*random)
}
