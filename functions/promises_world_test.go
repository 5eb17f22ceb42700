package functions_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/functions/poll"
	"github.com/clipqueue/clipqueue/functions/publish"
	"github.com/clipqueue/clipqueue/functions/reconcile"
	"github.com/clipqueue/clipqueue/functions/submit"
	"github.com/clipqueue/clipqueue/functions/webhook"
	"github.com/clipqueue/clipqueue/shared/creativeai"
	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/keys"
	"github.com/clipqueue/clipqueue/shared/loop"
	"github.com/clipqueue/clipqueue/shared/metric"
	"github.com/clipqueue/clipqueue/shared/request"
	"github.com/clipqueue/clipqueue/shared/store"
	"github.com/clipqueue/clipqueue/shared/store/memory"
)

const (
	webhookURL = "https://api.example/webhooks/creativeai"
	firstKey   = "key-one"
	secondKey  = "key-two"
	submitters = 2
)

// world is one account: the services, the functions and the vendor.
type world struct {
	start   time.Time
	rules   job.Rules
	chaos   *chaos
	trace   *trace
	group   sync.WaitGroup
	queue   *sqsQueue
	poison  *sqsQueue
	videos  *sqsQueue
	bucket  *objects
	table   *memory.Table
	stream  *stream
	bus     *eventBus
	secrets *secrets
	vendor  *fake.Vendor

	mu        sync.Mutex
	ids       int
	receivers []*receiver
	due       map[string]time.Time
	dueMoved  *signal
	posts     []post
	onTheWire map[string]int // POSTs that have not ended, by job
	asks      []ask
	callbacks []callback
	keysEver  []string
	ended     []loop.Input // loops that ended by themselves
	rotatedAt time.Time
	purged    bool
	broken    []string // what was seen to be wrong while it happened
}

// post is a POST that left a submit process.
type post struct {
	instance string
	at       time.Time
	// held says that the answer was no acceptance and no refusal of the prompt.
	held bool
}

// ask is a question of reconcile to the vendor.
type ask struct {
	instance, path string
	at             time.Time
}

// callback is one that reached the webhook function, with what it answered.
type callback struct {
	path   string
	body   []byte
	signed bool
	// valid says that the key it is signed with was in force, and known long enough.
	valid  bool
	status int
}

func newWorld(seed uint64, tracing bool) *world {
	w := &world{
		start: time.Now(), rules: job.DefaultRules(), secrets: &secrets{}, dueMoved: newSignal(),
		due: map[string]time.Time{}, onTheWire: map[string]int{},
	}
	if tracing {
		w.trace = &trace{start: w.start}
	}
	w.chaos = &chaos{seed: seed, counts: map[string]uint64{}}
	w.planChaos()
	w.trace.note("world", w.chaos.String())
	w.queue = newQueue(w, "jobs", 12*time.Minute, 1000)
	w.poison = newQueue(w, "poison", time.Minute, 1000)
	w.videos = newQueue(w, "videos", 12*time.Minute, archiveReceives)
	w.bucket = &objects{keys: map[string]object{}}
	w.stream = newStream(w)
	w.bus = &eventBus{w: w}
	w.table = memory.New(w.rules, time.Now, w.changed)
	w.setKeys(firstKey, "")
	var err error
	w.vendor, err = fake.New(fake.Config{
		Now: time.Now, Key: firstKey, Seed: seed + 1, BaseURL: "https://vendor.example", Callback: gateway{w},
	})
	if err != nil {
		panic(err)
	}
	return w
}

// planChaos decides how bad it gets, and when.
func (w *world) planChaos() {
	c := w.chaos
	if n := c.below("theme", 20); n < 2 {
		c.theme = deliveredTwice + theme(n)
	}
	c.wild = []uint64{0, 20, 60, 150}[c.below("wild", 4)]
	c.ends = w.start.Add(c.between("faults end", 20*time.Minute, 3*time.Hour))
	some := func(name string, perMille uint64, from, to time.Duration) window {
		if !c.chance(name, perMille) {
			return window{}
		}
		at := w.start.Add(c.between(name+" from", 0, 30*time.Minute))
		return window{at, at.Add(c.between(name+" for", from, to))}
	}
	c.tableThrottled = some("table throttled", 200, 20*time.Second, 3*time.Minute)
	c.vendorDown = some("vendor down", 200, 5*time.Minute, time.Hour)
	c.busDown = some("bus down", 150, time.Minute, time.Hour)
	if c.chance("bus down for long", 4) { // longer than the stream remembers
		c.busDown = some("bus down long", 1000, 25*time.Hour, 30*time.Hour)
	}
	c.keysDown = some("keys down", 150, 10*time.Second, 10*time.Minute)
	for _, until := range []time.Time{c.tableThrottled.to, c.vendorDown.to, c.busDown.to, c.keysDown.to} {
		if until.After(c.ends) {
			c.ends = until
		}
	}
}

// changed is the table's stream, and what the schedule looks at.
func (w *world) changed(j job.Job) {
	w.trace.row(j)
	w.stream.add(j)
	w.mu.Lock()
	if j.DueAt.IsZero() {
		delete(w.due, j.Key())
	} else {
		w.due[j.Key()] = j.DueAt
	}
	if waits(j) && !w.purged && !w.queue.holds(j.ID) {
		w.broken = append(w.broken, fmt.Sprintf("duplicates: %s is queued, and its message has been deleted", j.Key()))
	}
	w.mu.Unlock()
	if j.State == job.Unconfirmed {
		w.operate(j)
	}
	w.dueMoved.raise()
}

// waits says whether a job is queued and waits for its message. One that was ever
// unconfirmed or expired waits for reconcile: its message was done with then, and a
// delivery still on its way can claim the job once more without bringing it back.
func waits(j job.Job) bool {
	return j.State == job.Queued && len(j.History) > 1 && !slices.ContainsFunc(j.History, func(s job.Step) bool {
		return s.State == job.Unconfirmed || s.State == job.Expired
	})
}

// operate is an operator who looks into the vendor's books, and resolves what
// only a person can: a POST that has ended and was not accepted may be made anew;
// and some jobs are given up, whatever the books say.
func (w *world) operate(j job.Job) {
	often, slowest := uint64(300), 20*time.Minute
	if w.chaos.theme == lateAnswers {
		often, slowest = 900, 20*time.Second
	}
	if !w.chaos.chance("operator "+j.ID, often) {
		return
	}
	w.group.Go(func() {
		time.Sleep(w.chaos.between("operator waits "+j.ID, time.Second, slowest))
		current, err := w.table.Get(context.Background(), j.Key())
		// A vendor that is slow takes a POST that we have long given up.
		early := time.Since(current.ClaimedAt) < 75*time.Second
		if err != nil || current.State != job.Unconfirmed {
			return
		}
		var word job.Fact
		switch {
		case w.chaos.chance("operator gives up "+j.ID, 250):
			word = job.GiveUp{At: time.Now(), By: givesUp}
		case early, w.maybePaid(j):
			return
		default:
			word = job.Release{At: time.Now(), By: "the operator"}
		}
		w.trace.note("operator", fmt.Sprintf("decides about %s: %T", j.ID, word))
		_, err = store.Transition(context.Background(), w.table, w.rules, current, word)
		if err != nil && !errors.Is(err, job.ErrStale) && !errors.Is(err, job.ErrContradiction) {
			panic(err)
		}
	})
}

// givesUp is who gives jobs up.
const givesUp = "an impatient operator"

// gaveUp says whether the job's life holds that somebody gave it up.
func gaveUp(j job.Job) bool {
	return slices.ContainsFunc(j.History, func(s job.Step) bool { return strings.Contains(s.Why, givesUp) })
}

// maybePaid says whether the vendor has accepted a job, or may yet.
func (w *world) maybePaid(j job.Job) bool {
	w.mu.Lock()
	under := w.onTheWire[prompt(j)]
	w.mu.Unlock()
	if under > 0 {
		return true
	}
	for _, g := range w.vendor.Ledger().Generations {
		if g.Prompt == prompt(j) {
			return true
		}
	}
	return false
}

// prompt is a job's prompt; no two jobs of a world have the same.
func prompt(j job.Job) string {
	r, err := request.Decode(j.Request)
	if err != nil {
		panic(err)
	}
	return r.Prompt
}

// purge is an accident: somebody empties the queue. What was never handed to a
// function is spared, for of that nobody can know.
func (w *world) purge(ctx context.Context) {
	if !w.chaos.chance("purge", 80) || !until(ctx, w.start.Add(w.chaos.between("purge at", time.Minute, 30*time.Minute)), nil) {
		return
	}
	w.trace.note("operator", "purges the queue")
	w.mu.Lock()
	w.purged = true
	w.mu.Unlock()
	for _, j := range w.table.Jobs() {
		w.queue.lose(j.ID)
	}
}

func (w *world) setKeys(current, previous string) {
	w.secrets.set(current, previous)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keysEver = append(w.keysEver, current)
	w.rotatedAt = time.Now()
}

// instance starts a process, whose clock may be wrong by seconds.
func (w *world) instance(name string) *instance {
	w.mu.Lock()
	w.ids++
	name = fmt.Sprintf("%s.%d", name, w.ids)
	w.mu.Unlock()
	skew := w.chaos.between(name+" skew", 0, 8*time.Second) - 4*time.Second
	return &instance{w: w, name: name, skew: skew, born: time.Now()}
}

// newID stands for the random source of tokens and claims.
func (w *world) newID(i *instance) func() string {
	return func() string { return fmt.Sprintf("id-%016x", w.chaos.draw(i.name+" id")) }
}

func (w *world) random(i *instance) func() float64 {
	return func() float64 { return float64(w.chaos.below(i.name+" random", 1000)) / 1000 }
}

// account is the vendor as one process reaches it: with the product's own client and keys.
func (w *world) account(i *instance) *creativeai.Account {
	client, err := creativeai.New("https://vendor.example", creativeai.WithTransport(wire{i}), creativeai.WithClock(i.now))
	if err != nil {
		panic(err)
	}
	account, err := creativeai.NewAccount(client, w.keys(i))
	if err != nil {
		panic(err)
	}
	return account
}

func (w *world) keys(i *instance) *keys.Source {
	source, err := keys.New(instanceSecrets{i, w.secrets}, "secret", i.now)
	if err != nil {
		panic(err)
	}
	return source
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (w *world) submit(i *instance) sqsHandler {
	return must(submit.New(
		submit.Settings{Rules: w.rules, Delivery: events.DeliveryWebhook, WebhookURL: webhookURL, Timeout: 30 * time.Second},
		submit.Deps{
			Jobs: instanceTable{i, w.table}, Vendor: w.account(i), Queue: instanceQueue{i, w.queue}, Loops: instanceLoops{i},
			Log: w.trace.log(i.name), Metrics: metric.Sink{}, Now: i.now, NewID: w.newID(i), Random: w.random(i),
		},
	)).Handle
}

func (w *world) publish(i *instance) *publish.Handler {
	return must(publish.New(publish.Deps{
		Rules: w.rules, Jobs: instanceTable{i, w.table}, Bus: instanceBus{i, w.bus}, Poison: instanceQueue{i, w.poison},
		Log: w.trace.log(i.name), Now: i.now,
	}))
}

func (w *world) reconcile(i *instance) *reconcile.Handler {
	return must(reconcile.New(reconcile.Deps{
		Rules: w.rules, Jobs: instanceTable{i, w.table}, Vendor: w.account(i), Queue: instanceQueue{i, w.queue},
		Log: w.trace.log(i.name), Now: i.now,
	}))
}

func (w *world) poll(i *instance) *poll.Handler {
	return must(poll.New(
		poll.Settings{
			Rules: w.rules, Every: 5 * time.Second, SlowAfter: 3 * time.Minute, SlowEvery: 15 * time.Second,
			HandOverAfter: 285 * time.Second,
		},
		poll.Deps{Jobs: instanceTable{i, w.table}, Vendor: w.account(i), Log: w.trace.log(i.name), Now: i.now},
	))
}

// loop is one execution of the workflow: Wait, poll, Choice.
func (w *world) loop(in loop.Input) {
	in.StartedAt = time.Now()
	ends := in.StartedAt.Add(5 * time.Minute)
	if time.Now().Before(w.chaos.ends) && w.chaos.chance("loop dies "+in.JobID, 2*w.chaos.wild) {
		ends = in.StartedAt.Add(w.chaos.between("loop dies "+in.JobID+" at", 0, 5*time.Minute))
	}
	wait := 30 * time.Second
	var i *instance
	var h *poll.Handler
	for time.Now().Add(wait).Before(ends) {
		time.Sleep(wait)
		if i == nil || i.killed() {
			i = w.instance("poll-" + in.JobID)
			h = w.poll(i)
		}
		var answer loop.Answer // an invocation whose time is over may still write it
		ok := i.run(context.Background(), 30*time.Second, func(ctx context.Context) (err error) {
			answer, err = h.Handle(ctx, in)
			return err
		})
		switch {
		case !ok: // the workflow catches it, and goes on
			wait = 5 * time.Second
		case answer.Done:
			w.mu.Lock()
			w.ended = append(w.ended, in)
			w.mu.Unlock()
			return
		default:
			wait = time.Duration(answer.WaitSeconds) * time.Second
		}
	}
}

// schedule calls reconcile on each full minute; the minutes at which nothing is
// due are left out, for then it does nothing.
func (w *world) schedule(ctx context.Context) {
	for {
		moved := w.dueMoved.wait()
		at := w.nextDue()
		if at.IsZero() {
			if !until(ctx, at, moved) {
				return
			}
			continue
		}
		if now := time.Now(); at.Before(now) {
			at = now
		}
		at = at.Truncate(time.Minute).Add(time.Minute)
		if !until(ctx, at, moved) {
			return
		}
		if time.Now().Before(at) {
			continue
		}
		w.run(ctx)
	}
}

func (w *world) run(ctx context.Context) {
	times := 1
	if time.Now().Before(w.chaos.ends) && w.chaos.chance("reconcile twice", 2*w.chaos.wild) {
		times = 2
	}
	var group sync.WaitGroup
	for range times {
		i := w.instance("reconcile")
		group.Go(func() {
			i.run(ctx, time.Minute, w.reconcile(i).Handle)
		})
	}
	group.Wait()
}

func (w *world) nextDue() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	var next time.Time
	for _, at := range w.due {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// wire is the network between one process and the vendor.
type wire struct{ i *instance }

func (x wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := requestBody(r)
	if err != nil {
		return nil, err
	}
	w, isPost := x.i.w, r.Method == http.MethodPost
	name, key := "vendor get", r.URL.Path
	if isPost {
		name, key = "vendor post", hash(body)
	}
	if isPost {
		defer w.posting(body)()
	} else if strings.HasPrefix(x.i.name, "reconcile") {
		w.mu.Lock()
		if time.Since(x.i.born) < 10*time.Second { // one that was held up may ask when its lease is over
			w.asks = append(w.asks, ask{x.i.name, key, time.Now()})
		}
		w.mu.Unlock()
	}
	var response *http.Response
	err = x.i.call(r.Context(), name, key, isPost, func() error {
		if w.chaos.vendorDown.holds(time.Now()) {
			response, err = w.outage(r) //nolint:bodyclose // handed on
			return err
		}
		response, err = w.vendor.Transport().RoundTrip(r) //nolint:bodyclose // handed on
		return err
	})
	if isPost {
		w.count(x.i, response, err)
	}
	if isPost && err == nil && response.StatusCode == http.StatusAccepted && plainly(body) {
		x.i.took()
	}
	if err != nil {
		return nil, err
	}
	return response, nil
}

// plainly says that the vendor's 202 has a usable id and arrives whole.
func plainly(body []byte) bool {
	return !bytes.Contains(body, []byte("fault: answer")) && !bytes.Contains(body, []byte("fault: cut-body"))
}

// breaks notes a promise that was broken while it happened.
func (w *world) breaks(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, what)
}

// posting counts a POST as being on the wire until the function it returns is called.
func (w *world) posting(body []byte) (ended func()) {
	var s struct {
		Prompt string `json:"prompt"`
	}
	if err := json.Unmarshal(body, &s); err != nil {
		panic(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onTheWire[s.Prompt]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.onTheWire[s.Prompt]--
	}
}

func requestBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:4])
}

// outage is a vendor that is down: it cannot be reached, or a proxy answers for it.
func (w *world) outage(r *http.Request) (*http.Response, error) {
	status := []int{0, http.StatusServiceUnavailable, http.StatusInternalServerError}[w.chaos.below("outage", 3)]
	if status == 0 {
		return nil, errInjected
	}
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{"Content-Type": {"text/html"}},
		Body: io.NopCloser(strings.NewReader("<html>down</html>")),
	}, nil
}

// count remembers a POST and whether its answer should have opened the breaker.
func (w *world) count(i *instance, response *http.Response, err error) {
	held := err != nil
	if response != nil {
		switch response.StatusCode {
		case http.StatusOK, http.StatusAccepted, http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusUnauthorized:
		default:
			held = true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.posts = append(w.posts, post{i.name, time.Now(), held})
}

// gateway is API Gateway: the vendor's callbacks come in here.
type gateway struct{ w *world }

// receiver is a warm webhook process.
type receiver struct {
	i    *instance
	h    *webhook.Handler
	busy bool
}

func (g gateway) RoundTrip(r *http.Request) (*http.Response, error) {
	w := g.w
	body, err := requestBody(r)
	if err != nil {
		return nil, err
	}
	name := "callback " + r.URL.Path
	f := w.chaos.fate(name, time.Now())
	time.Sleep(w.chaos.between(name+" takes", time.Millisecond, 50*time.Millisecond))
	w.trace.call("gateway", name, string(body), f, nil)
	if f == failsBefore || f == diesBefore {
		return nil, errInjected
	}
	answer := w.invoke(r, body)
	if f == happensTwice {
		answer = w.invoke(r, body)
	}
	if f == failsAfter || f == diesAfter {
		return nil, errInjected
	}
	return &http.Response{
		StatusCode: answer.StatusCode, ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(answer.Body)),
	}, nil
}

// invoke hands one callback to a process that is free.
func (w *world) invoke(r *http.Request, body []byte) lambda.APIGatewayV2HTTPResponse {
	rc := w.receiver()
	valid := w.valid(r, body)
	var handled lambda.APIGatewayV2HTTPResponse // an invocation whose time is over may still write it
	ok := rc.i.run(r.Context(), 10*time.Second, func(ctx context.Context) (err error) {
		handled, err = rc.h.Handle(ctx, proxied(r, body, w.chaos.chance("base64", 300)))
		return err
	})
	answer := lambda.APIGatewayV2HTTPResponse{StatusCode: http.StatusServiceUnavailable}
	if ok {
		answer = handled
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	rc.busy = false
	w.callbacks = append(w.callbacks, callback{
		r.URL.Path, body, signed(r, body, w.keysEver...), valid, answer.StatusCode,
	})
	w.trace.note("webhook", fmt.Sprintf("answers %d", answer.StatusCode))
	return answer
}

func (w *world) receiver() *receiver {
	w.mu.Lock()
	for _, rc := range w.receivers {
		if !rc.busy && !rc.i.killed() {
			rc.busy = true
			w.mu.Unlock()
			return rc
		}
	}
	w.mu.Unlock()
	i := w.instance("webhook")
	rc := &receiver{i: i, busy: true, h: must(webhook.New(webhook.Deps{
		Jobs: instanceTable{i, w.table}, Keys: w.keys(i), Log: w.trace.log(i.name), Now: i.now,
	}))}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.receivers = append(w.receivers, rc)
	return rc
}

// proxied is the request as API Gateway hands it over.
func proxied(r *http.Request, body []byte, encode bool) lambda.APIGatewayV2HTTPRequest {
	out := lambda.APIGatewayV2HTTPRequest{RawPath: r.URL.Path, Headers: map[string]string{}, Body: string(body)}
	for name, values := range r.Header {
		out.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	if encode {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return out
}

// signed is the oracle's own view of a signature: whether one of the keys made it.
func signed(r *http.Request, body []byte, keys ...string) bool {
	for _, key := range keys {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		if key != "" && r.Header.Get("X-Creativeai-Signature") == "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			return true
		}
	}
	return false
}

// valid says whether a callback is signed with a key that is in force, and that a
// function can know of: the secret is read anew at most every 3 s.
func (w *world) valid(r *http.Request, body []byte) bool {
	w.mu.Lock()
	settling := time.Since(w.rotatedAt) < 15*time.Second
	w.mu.Unlock()
	w.secrets.mu.Lock()
	defer w.secrets.mu.Unlock()
	return !settling && signed(r, body, w.secrets.current, w.secrets.previous)
}

// live starts everything, waits until the faults have ended and all has come to
// rest, and ends everything.
func (w *world) live(send []sending) {
	ctx, cancel := context.WithCancel(context.Background())
	for n := range submitters {
		w.group.Go(func() { w.queue.poll(ctx, fmt.Sprintf("submit-%d", n), 5*time.Minute, w.submit) })
	}
	for n := range w.stream.shards {
		w.group.Go(func() { w.stream.poll(ctx, n, w.publish) })
	}
	w.group.Go(func() { w.videos.poll(ctx, "archive", 5*time.Minute, w.archive) })
	w.group.Go(func() { w.schedule(ctx) })
	w.group.Go(func() { w.rotate(ctx) })
	w.group.Go(func() { w.purge(ctx) })
	for n := range send {
		w.group.Go(func() { w.send(ctx, &send[n]) })
	}
	time.Sleep(time.Until(w.chaos.ends))
	w.trace.note("world", "the faults have ended")
	for range 14 * 24 {
		time.Sleep(time.Hour)
		if w.atRest(send) {
			break
		}
	}
	cancel()
	w.vendor.Close()
	w.group.Wait()
}

func (w *world) atRest(send []sending) bool {
	w.mu.Lock()
	sent := !slices.ContainsFunc(send, func(s sending) bool { return s.id == "" })
	w.mu.Unlock()
	if !sent {
		return false
	}
	for _, shard := range w.stream.shards {
		if len(shard.batch()) > 0 {
			return false
		}
	}
	return w.queue.len()+w.videos.len() == 0 && w.nextDue().IsZero()
}

// rotate gives the account a new key in the middle of it all, in the order that
// the README says: first the secret, then the vendor.
func (w *world) rotate(ctx context.Context) {
	if !w.chaos.chance("rotate", 400) {
		return
	}
	if !until(ctx, w.start.Add(w.chaos.between("rotate at", 0, 40*time.Minute)), nil) {
		return
	}
	w.setKeys(secondKey, firstKey)
	w.trace.note("operator", "puts the second key")
	w.vendor.SetKeys(secondKey, firstKey)
	if until(ctx, time.Now().Add(w.chaos.between("retire", 20*time.Minute, 2*time.Hour)), nil) {
		w.trace.note("operator", "the vendor retires the first key")
		w.vendor.SetKeys(secondKey, "")
	}
}
