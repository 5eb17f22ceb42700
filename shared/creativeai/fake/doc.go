// Package fake is a CreativeAI vendor in memory, for tests and demonstrations: it takes
// submissions, takes its time, answers polls, posts signed callbacks, serves the videos, and
// misbehaves when it is asked to. Its ledger shows what was accepted, and so paid for.
//
// It follows the vendor's public page on asynchronous generation and shares no code with the
// client in the package above it, so that each can be held against the other.
//
// # Use
//
// Over a socket:
//
//	vendor, err := fake.New(fake.Config{Now: time.Now, Key: "rph_live_test", Scale: 0.01})
//	…
//	err = vendor.Start(ctx, "") // a free port of 127.0.0.1
//	defer vendor.Close()
//	client, err := creativeai.New(vendor.URL())
//
// A Vendor is also an http.Handler, for httptest.NewTLSServer and the like. Without a network,
// Vendor.Transport is an http.RoundTripper that reaches it, and Config.Callback one that its
// callbacks leave by: then it can live in a testing/synctest bubble.
//
// Config.Scale makes everything faster but CallbackTimeout and what Retry-After says.
// Vendor.Wait waits for something to stand in the ledger.
//
// # Manners
//
// As the page says: 202 with id, status "pending", model_actual, credits and failover_used; a
// generation takes 30 s to 3 min; a callback is tried 0, 5 and 30 s after its first attempt, until
// a 2xx within 10 s; the same status of the same generation is not sent twice in 7 days; the
// signature is the HMAC-SHA256 of the raw body under the API key. With two keys in force that is
// the key that submitted the generation, while it is valid.
//
// Where the page is silent or odd, so is the fake, all the time: X-CreativeAI-Event says
// "video.generation.completed" of failures too; a poll tells a failure as "error", a callback as
// "error_message"; polls say "queued" and "processing"; bodies hold fields that no page names.
//
// # Faults
//
// A prompt asks for faults of its own job with any number of directives,
//
//	A dog on a beach [fault: 429 retry-after=2 times=3] [fault: callback-lost times=1]
//
// and Config.Faults, Vendor.AddFaults and the control surface ask for faults of all requests, in
// the same notation without the brackets. A value with spaces or a "]" stands in double quotes.
// What is not understood is an error: a 400 for a prompt. Vendor.Faults shows what struck.
//
// A directive in a prompt counts for its job, that is for all submissions with the same prompt
// and webhook_url, or for its generation. Its window begins with the first submission, with the
// acceptance, or for videos with the completion; that of an added fault when it was added.
//
// Every fault takes
//
//	times=N       strikes the first N times only
//	p=0.1         the chance to strike, from Config.Seed
//	after=20s     strikes from then on
//	until=1m      strikes until then
//	prompt=TEXT   strikes only prompts that contain TEXT
//
// For submissions, each with accepted=yes or no where both make sense (a proxy may answer 503
// after the vendor had the request):
//
//	NNN retry-after= body= location=   that status, from 300 to 599; retry-after is sent as it is,
//	                                   or huge, junk, date:30s; body is json, html, text or empty
//	html status= type=                 an HTML page
//	cut how=                           the connection ends without an answer, in order or by reset
//	lost-answer how=                   the same, but after the acceptance
//	cut-body at=                       the connection ends within the body, at=100 or at=50%
//	slow for=                          waits first; a client that gives up is served all the same
//	drip every= bytes=                 the body comes in drops
//	answer status= id= body=           accepted, answered oddly: id none, empty, null, number,
//	                                   object or huge, body empty, array or junk
//	same-id                            accepted under the id of the generation before it
//	refuse                             the connection is refused (through Transport; else as cut)
//
// For the course of a generation:
//
//	fail message=     it fails
//	failover model=   another provider does the work
//	takes for=        it takes that long
//	never             it never ends, but by Vendor.Finish
//	output url=       output_url is null, empty, relative, http, file, junk, or what is written
//
// For polls: get-NNN, get-html, get-cut, get-cut-body, get-slow and get-drip as above, and
//
//	get-status is=                   another status
//	get-field name= value=           a member has another raw JSON value, or none
//	get-duplicate-name name= value=  a name comes a second time, at the end
//
// For callbacks:
//
//	callback-early                   before the submission is answered
//	callback-late for=               that much later than a poll knows
//	callback-lost                    the attempt never arrives
//	callback-double n= gap=          n times in all
//	callback-contradict gap=         the opposite verdict follows
//	callback-forged with= n=         somebody else's come first, signed wrong, none, other-key, …
//	callback-signature with=         the attempt is signed previous-key, upper, sha1, twice, …
//	callback-altered how=            the body changes after it was signed
//	callback-body is=                another body, rightly signed: junk, array, bom, utf8, large, …
//	callback-misdirected to=         the attempt goes to another job's URL, or to that one
//	callback-field name= value=      as get-field
//	callback-duplicate-name name= value=
//
// For videos: video-NNN, video-html, video-cut, video-cut-body, video-slow and video-drip as
// above, and
//
//	video-redirect hops= to= status=  redirects first, to itself or elsewhere
//	video-type is=                    another Content-Type
//	video-no-range                    no Range
//	video-length by=                  a wrong Content-Length
//	video-large size=                 5GB, say, made on the fly: see Content
//	video-endless                     never ends, of untold length
//	video-gzip-bomb size=             small, but swells
//	video-changing                    other bytes and ETag each time
//
// # Control surface
//
// Below /_fake/, apart from the vendor's own paths and without a key, for which reason Start
// refuses all but loopback addresses:
//
//	GET    /_fake/ledger                    everything, with paid_twice
//	GET    /_fake/generations[/{id}]        what was accepted, with its callbacks
//	POST   /_fake/generations/{id}/finish   ends it now
//	POST   /_fake/callbacks/{id}            sends its callback now: {"status", "signature", "force"}
//	POST   /_fake/keys                      {"current": "…", "previous": "…"}
//	GET    /_fake/faults                    what was added, and how often it struck
//	POST   /_fake/faults                    {"faults": ["503 p=0.1 until=1m"]} adds
//	DELETE /_fake/faults                    takes all back
//	GET    /_fake/directives                this list, for machines
package fake
