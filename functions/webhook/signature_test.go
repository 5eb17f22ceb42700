package webhook_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/functions/webhook"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/job"
)

// What is not signed is answered 401 with one constant body, touches nothing,
// and has the secret read once in three seconds however much of it comes.
func TestFault13_BadSignature(t *testing.T) {
	t.Parallel()
	body := example(t, "completed.json")
	good := sign(apiKey, body)
	tests := map[string]func(*lambda.APIGatewayV2HTTPRequest){
		"absent":                 func(r *lambda.APIGatewayV2HTTPRequest) { delete(r.Headers, "x-creativeai-signature") },
		"empty":                  signed(""),
		"of another key":         signed(sign("another", body)),
		"of the empty key":       signed(sign("", body)),
		"of a key of spaces":     signed(sign("  ", body)),
		"no prefix":              signed(strings.TrimPrefix(good, "sha256=")),
		"sha1=":                  signed("sha1=" + strings.TrimPrefix(good, "sha256=")),
		"SHA256=":                signed("SHA256=" + strings.TrimPrefix(good, "sha256=")),
		"prefix only":            signed("sha256="),
		"odd number of digits":   signed(good[:len(good)-1]),
		"too short":              signed(good[:len(good)-2]),
		"too long":               signed(good + "00"),
		"upper-case hex":         signed("sha256=" + strings.ToUpper(strings.TrimPrefix(good, "sha256="))),
		"not hex":                signed("sha256=" + strings.Repeat("zz", 32)),
		"space in front":         signed(" " + good),
		"space behind":           signed(good + " "),
		"two headers joined":     signed(good + "," + good),
		"a good one among bad":   signed("sha256=" + strings.Repeat("00", 32) + ", " + good),
		"one bit off":            signed(flip(t, good)),
		"body altered by a byte": func(r *lambda.APIGatewayV2HTTPRequest) { r.Body = strings.Replace(r.Body, "40", "41", 1) },
		"body with a newline":    func(r *lambda.APIGatewayV2HTTPRequest) { r.Body += "\n" },
		"empty body":             func(r *lambda.APIGatewayV2HTTPRequest) { r.Body = "" },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.warm()
			b.wait(3 * time.Second)
			r := request(t, goodPath, apiKey, body)
			spoil(&r)
			for range 20 {
				b.statusIs(r, 401)
				b.wait(100 * time.Millisecond)
			}
			b.callsAre()
			if b.vault.reads != 2 { // of the current and of the previous key
				t.Errorf("the secret was read %d times in 2 s, want once each version", b.vault.reads)
			}
			if b.job("j1").State != job.Processing || !b.counted(env.MetricSignatureFailed) {
				t.Errorf("the job is %s; metrics: %s", b.job("j1").State, b.metrics)
			}
		})
	}
}

func signed(signature string) func(*lambda.APIGatewayV2HTTPRequest) {
	return func(r *lambda.APIGatewayV2HTTPRequest) { r.Headers["x-creativeai-signature"] = signature }
}

func flip(t *testing.T, signature string) string {
	t.Helper()
	raw, err := hex.DecodeString(strings.TrimPrefix(signature, "sha256="))
	if err != nil {
		t.Fatal(err)
	}
	raw[31] ^= 1
	return "sha256=" + hex.EncodeToString(raw)
}

// Before the secret was ever filled nothing verifies, least of all the signature
// of the empty key: 503, so that the vendor comes again. After the first put the
// empty key is the previous one on some engines: it verifies nothing then either.
func TestFault13_EmptyKey(t *testing.T) {
	t.Parallel()
	body := example(t, "completed.json")
	for name, values := range map[string]map[string]string{
		"no value":       {},
		"an empty value": {"AWSCURRENT": "", "AWSPREVIOUS": ""},
		"white space":    {"AWSCURRENT": " \n", "AWSPREVIOUS": "\t"},
	} {
		b := newBench(t)
		b.vault.values = values
		for _, key := range []string{"", values["AWSCURRENT"], apiKey} {
			b.statusIs(request(t, goodPath, key, body), 503)
		}
		b.callsAre()
		if !strings.Contains(b.log.String(), "put the vendor's key into the secret") {
			t.Errorf("%s: the log says\n%s", name, b.log)
		}
		b.vault.values = map[string]string{"AWSCURRENT": apiKey, "AWSPREVIOUS": values["AWSCURRENT"]}
		b.wait(3 * time.Second)
		b.statusIs(request(t, goodPath, "", body), 401)
		b.statusIs(request(t, goodPath, values["AWSCURRENT"], body), 401)
		b.statusIs(request(t, goodPath, apiKey, body), 200)
	}
}

// blank is a source that has keys, and they are empty.
type blank struct{}

func (blank) Pair(context.Context) (current, previous string, err error) { return "", " ", nil }
func (blank) Refresh(context.Context) error                              { return nil }

func TestFault13_EmptyKeysFromTheSource(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Handler = b.with(blank{})
	b.statusIs(request(t, goodPath, "", example(t, "completed.json")), 503)
	b.callsAre()
}

// The signature is checked over the bytes as they came, whichever way API Gateway
// hands them over; the same bytes tidied up do not fit.
func TestFault14_ExactBytes(t *testing.T) {
	t.Parallel()
	plain := strings.TrimSpace(string(example(t, "completed.json")))
	for name, tt := range map[string]struct {
		body, tidied string
		status       int
	}{
		"as it is":          {plain, plain + " ", 200},
		"byte order mark":   {"\ufeff" + plain, plain, 200},
		"CRLF":              {strings.ReplaceAll(plain, `,"`, ",\r\n\""), strings.ReplaceAll(plain, `,"`, ",\n\""), 200},
		"trailing newline":  {plain + "\n", plain, 200},
		"escaped":           {strings.Replace(plain, "quiet", `\u0071uiet`, 1), plain, 200},
		"not UTF-8":         {strings.Replace(plain, "quiet", "q\xff\xfeiet", 1), strings.Replace(plain, "quiet", "q\ufffd\ufffdiet", 1), 400},
		"NUL":               {plain + "\x00", plain, 400},
		"two byte UTF-16":   {"\xff\xfe{\x00}\x00", "{}", 400},
		"base64 of nothing": {"", "{}", 400},
	} {
		for _, base64 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, base64 %v", name, base64), func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				good := request(t, goodPath, apiKey, []byte(tt.body))
				spoiled := good
				spoiled.Body = tt.tidied
				if base64 {
					good, spoiled = inBase64(good), inBase64(spoiled)
				}
				b.statusIs(spoiled, 401)
				b.callsAre()
				b.statusIs(good, tt.status)
				if tt.status != 200 {
					b.callsAre()
				} else if b.callsAre("settle"); string(b.job("j1").Callback) != tt.body {
					t.Errorf("stored %q, want the bytes as they came", b.job("j1").Callback)
				}
			})
		}
	}
}

// uncalled is a source of keys that must not be asked.
type uncalled struct{ t testing.TB }

func (u uncalled) Pair(context.Context) (current, previous string, err error) {
	u.t.Error("the keys were asked for, so something was hashed")
	return apiKey, "", nil
}

func (u uncalled) Refresh(context.Context) error { return nil }

// Over the limit: 413 before any hashing. At the limit it is taken.
func TestFault14_TooLarge(t *testing.T) {
	t.Parallel()
	sized := func(n int) []byte {
		const head, tail = `{"id":"generation-1","status":"failed","x":"`, `"}`
		return []byte(head + strings.Repeat("x", n-len(head)-len(tail)) + tail)
	}
	for _, n := range []int{webhook.MaxBody + 1, webhook.MaxBody + 2, webhook.MaxBody + 3, 1 << 20, 9 << 20} {
		b := newBench(t)
		b.Handler = b.with(uncalled{t})
		r := request(t, goodPath, apiKey, sized(n))
		b.statusIs(r, 413)
		b.statusIs(inBase64(r), 413)
		b.callsAre()
	}
	for _, n := range []int{webhook.MaxBody, webhook.MaxBody - 1, webhook.MaxBody - 2} {
		b := newBench(t)
		r := request(t, goodPath, apiKey, sized(n))
		b.statusIs(r, 200)
		b.statusIs(inBase64(r), 200)
	}
}

func TestFault14_BrokenBase64(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Handler = b.with(uncalled{t})
	r := request(t, goodPath, apiKey, example(t, "completed.json"))
	r.IsBase64Encoded = true // and it is not
	b.statusIs(r, 400)
	r.Body = "e30"
	b.statusIs(r, 400)
	b.callsAre()
}

// The key is rotated in mid-flight: the new one and the one before it verify,
// without a restart and without waiting; one older still does not.
func TestFault20_Rotation(t *testing.T) {
	t.Parallel()
	body := example(t, "completed.json")
	b := newBench(t)
	b.warm()
	b.statusIs(request(t, goodPath, previousKey, body), 200)
	if b.vault.reads != 0 {
		t.Errorf("the secret was read %d times, with both keys at hand", b.vault.reads)
	}
	b.vault.rotate("rph_live_new")
	b.wait(3 * time.Second)
	b.statusIs(request(t, goodPath, "rph_live_new", body), 200)
	b.statusIs(request(t, goodPath, apiKey, body), 200)
	b.statusIs(request(t, goodPath, previousKey, body), 401)
	if b.vault.reads != 2 {
		t.Errorf("the secret was read %d times, want once each version", b.vault.reads)
	}
	b.vault.rotate("rph_live_newest")
	b.wait(6 * time.Minute) // longer than keys are kept unasked
	b.statusIs(request(t, goodPath, apiKey, body), 401)
}

// Keys come with white space around them, from people's files.
func TestFault20_KeyWithWhiteSpace(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.vault.values["AWSCURRENT"] = " " + apiKey + "\n"
	b.statusIs(request(t, goodPath, apiKey, example(t, "completed.json")), 200)
}

// Secrets Manager is down. Warm: callbacks are served, for however long. Cold,
// or with a signature that only a new key could make: 503, never 401.
func TestFault20_SecretsManagerDown(t *testing.T) {
	t.Parallel()
	body := example(t, "completed.json")
	b := newBench(t)
	b.vault.down = true
	b.statusIs(request(t, goodPath, apiKey, body), 503)
	b.statusIs(request(t, goodPath, "another", body), 503)
	b.callsAre()
	if b.vault.reads != 2 {
		t.Errorf("cold, the secret was read %d times at once, want once each version", b.vault.reads)
	}
	b.vault.down = false
	b.wait(3 * time.Second)
	b.warm()
	b.vault.down = true
	b.wait(time.Hour)
	b.statusIs(request(t, goodPath, apiKey, body), 200)
	b.wait(3 * time.Second)
	b.statusIs(request(t, goodPath, "another", body), 503)
	b.callsAre("settle")
}
