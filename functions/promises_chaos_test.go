package functions_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"runtime"
	"strings"
	"sync"
	"time"
)

// errInjected is what a call that was made to fail returns.
var errInjected = errors.New("injected: the service did not answer")

// fate is what becomes of one call.
type fate int

const (
	goesWell    fate = iota
	failsBefore      // it fails, and had no effect
	failsAfter       // it had its effect, and its answer is lost
	happensTwice
	isSlow
	diesBefore // the process dies before its effect
	diesAfter  // and after it
)

func (f fate) String() string {
	return [...]string{"", "fails, no effect", "fails, but took effect", "happens twice", "slow", "process dies before", "process dies after"}[f]
}

// chaos chooses the fate of every call from the seed alone. A choice depends on
// what is called, about which job, and how often before; so that goroutines which
// run side by side cannot change it.
type chaos struct {
	seed  uint64
	theme theme
	// wild is how many calls in a thousand do not go well.
	wild uint64
	// ends is when the faults end.
	ends time.Time
	// tableThrottled and busDown are when a service refuses everything.
	tableThrottled, busDown, keysDown, vendorDown window

	mu     sync.Mutex
	counts map[string]uint64
}

// theme is a kind of trouble that a seed has more of than chance would bring.
type theme int

const (
	ordinary theme = iota
	// deliveredTwice: messages are received by two at once, and the vendor is slow to say no.
	deliveredTwice
	// lateAnswers: answers are written down when the claim is long over, and an operator is quick.
	lateAnswers
)

func (t theme) String() string {
	return [...]string{"ordinary", "messages delivered twice", "answers written late"}[t]
}

// String is what a trace begins with.
func (c *chaos) String() string {
	return fmt.Sprintf("seed %d: %s; %d calls in 1,000 go wrong; the table throttles %d s, the vendor is down %d s, the bus %d s, the secrets %d s",
		c.seed, c.theme, c.wild, c.tableThrottled.seconds(), c.vendorDown.seconds(), c.busDown.seconds(), c.keysDown.seconds())
}

func (w window) seconds() int { return int(w.to.Sub(w.from).Seconds()) }

// window is a stretch of time; the zero value is none.
type window struct{ from, to time.Time }

func (w window) holds(t time.Time) bool { return !t.Before(w.from) && t.Before(w.to) }

// draw is a number that depends on the seed, the name, and how often it was drawn.
func (c *chaos) draw(name string) uint64 {
	c.mu.Lock()
	c.counts[name]++
	n := c.counts[name]
	c.mu.Unlock()
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d/%s/%d", c.seed, name, n)
	return mix(h.Sum64())
}

// below draws a number in [0, n).
func (c *chaos) below(name string, n uint64) uint64 { return c.draw(name) % n }

// chance draws true so often in a thousand.
func (c *chaos) chance(name string, perMille uint64) bool { return c.below(name, 1000) < perMille }

// between draws a duration; whole nanoseconds, so that no two things happen at once.
func (c *chaos) between(name string, from, to time.Duration) time.Duration {
	return from + time.Duration(c.below(name, uint64(to-from)))
}

// mix is the finalizer of splitmix64.
func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// fate chooses among the fates that make sense for the call.
func (c *chaos) fate(name string, now time.Time) fate {
	if !now.Before(c.ends) {
		return goesWell
	}
	switch op, _, _ := strings.Cut(name, " "); {
	case op == "table" && c.tableThrottled.holds(now), op == "bus" && c.busDown.holds(now), op == "keys" && c.keysDown.holds(now):
		return failsBefore
	}
	if !c.chance(name+" fate", c.wild) {
		return goesWell
	}
	return failsBefore + fate(c.below(name+" which", 6))
}

// receivedTwice says whether a message that is received stays visible.
func (c *chaos) receivedTwice(id string) bool {
	perMille := c.wild / 4
	if c.theme != ordinary {
		perMille = 500
	}
	return time.Now().Before(c.ends) && c.chance("receive twice "+id, perMille)
}

// instance is one process: it has a clock of its own, and can die.
type instance struct {
	w    *world
	name string
	skew time.Duration
	born time.Time

	mu   sync.Mutex
	dead bool
	// posted says that the next write is what became of a POST.
	posted bool
	// accepted says that the POST was, of the job that is written next; uncarried
	// that this could not be stored.
	accepted, uncarried bool
}

// now is what the instance takes the time to be.
func (i *instance) now() time.Time { return time.Now().Add(i.skew) }

func (i *instance) kill() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.dead = true
}

func (i *instance) killed() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.dead
}

// end leaves the goroutine of a process that is dead.
func (i *instance) end() {
	if i.killed() {
		runtime.Goexit()
	}
}

// call makes one call of an instance to a service, with the fate that is chosen
// for it. name is "service operation", key the job that it is about. once says
// that the caller's client never repeats it.
func (i *instance) call(ctx context.Context, name, key string, once bool, effect func() error) error {
	i.end()
	f := i.w.chaos.fate(name+" "+key, time.Now())
	if f == happensTwice && once {
		f = goesWell
	}
	wait := i.w.chaos.between(name+" "+key+" takes", time.Millisecond, 40*time.Millisecond)
	if f == isSlow {
		wait = i.w.chaos.between(name+" "+key+" takes", time.Second, 100*time.Second)
	}
	if i.answers(name) && f == goesWell && i.w.chaos.lateAnswer(key) {
		f, wait = isSlow, i.w.chaos.between(name+" "+key+" takes", 60*time.Second, 280*time.Second)
	}
	late := f == isSlow && i.w.chaos.chance(name+" "+key+" late", 500)
	i.carries(name, key)
	err := i.make(ctx, f, wait, late, effect)
	i.carried(name, err)
	i.w.trace.call(i.name, name, key, f, err)
	i.end()
	return err
}

func (i *instance) make(ctx context.Context, f fate, wait time.Duration, late bool, effect func() error) error {
	if late {
		err := effect()
		if gone := i.rest(ctx, wait); gone != nil {
			return gone
		}
		return err
	}
	if err := i.rest(ctx, wait); err != nil {
		return err
	}
	switch f {
	case diesBefore:
		i.die("before")
	case failsBefore:
		return errInjected
	case goesWell, isSlow, failsAfter, happensTwice, diesAfter:
	}
	err := effect()
	switch f {
	case happensTwice:
		return effect()
	case failsAfter:
		return errInjected
	case diesAfter:
		i.die("after")
	case goesWell, isSlow, failsBefore, diesBefore:
	}
	return err
}

// answers says whether this call writes down what became of a POST.
func (i *instance) answers(name string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.posted
	i.posted = name == "vendor post"
	return was && name == "table put"
}

// carries sees to it that an acceptance which could not be stored starts a loop,
// before the process does anything else.
func (i *instance) carries(name, key string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.uncarried && name != "loop start" {
		i.w.breaks(fmt.Sprintf("P3: %s could not store an acceptance, and goes on with %s %s", i.name, name, key))
	}
	i.uncarried = false
}

// carried sees whether a write that follows an acceptance failed.
func (i *instance) carried(name string, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.accepted || name != "table put" {
		return
	}
	i.uncarried, i.accepted = errors.Is(err, errInjected), false
}

// took notes that the vendor's acceptance has reached the process.
func (i *instance) took() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.accepted = true
}

// lateAnswer says whether an answer is written down much later than it came.
func (c *chaos) lateAnswer(key string) bool {
	return c.theme == lateAnswers && time.Now().Before(c.ends) && c.chance("late answer "+key, 600)
}

// die ends the process here and now.
func (i *instance) die(when string) {
	i.w.trace.note(i.name, "the process dies "+when+" the effect")
	i.kill()
	i.end()
}

// rest takes virtual time.
func (i *instance) rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		i.end()
		return nil
	case <-ctx.Done():
		i.end()
		return ctx.Err()
	}
}
