package webhook_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/clipqueue/clipqueue/functions/webhook"
	"github.com/clipqueue/clipqueue/shared/job"
)

// FuzzHandle holds the two sides of the signature. Whatever the bytes: rightly
// signed they are never answered 401; wrongly signed never anything but 401, 413
// or, for broken base64, 400, and no call is made.
func FuzzHandle(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, goodPath, sign("another", body), false)
		f.Add(body, goodPath+"/", "", true)
	}
	f.Add([]byte(`{"id":"generation-1","status":"failed"}`), "/webhooks/creativeai/j1/..", "sha256=", true)
	f.Add([]byte("\xff\x00"), "", "sha1=00", true)
	f.Fuzz(func(t *testing.T, body []byte, path, signature string, inBase64 bool) {
		b := newBench(t)
		r := lambda.APIGatewayV2HTTPRequest{RawPath: path, Body: string(body), Headers: map[string]string{}}
		if inBase64 {
			r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
		}
		status := func(signature string) int {
			r.Headers["x-creativeai-signature"] = signature
			answer, err := b.Handle(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			return answer.StatusCode
		}
		right := sign(apiKey, body)
		if signature != right && signature != sign(previousKey, body) {
			if got := status(signature); got != 401 && got != 413 || len(b.table.calls) != 0 {
				t.Fatalf("%q is answered %d, after %v", signature, got, b.table.calls)
			}
		}
		switch got := status(right); got {
		case 200, 400:
		case 413:
			if len(body) <= webhook.MaxBody {
				t.Fatalf("%d bytes are answered 413", len(body))
			}
		default:
			t.Fatalf("rightly signed, it is answered %d", got)
		}
		if b.job("j1").State != job.Processing && (!strings.HasSuffix(path, goodPath) || strings.ContainsAny(path, ".%")) {
			t.Fatalf("the path %q settled the job", path)
		}
		if !inBase64 {
			r.IsBase64Encoded = true // and it may not be
			if got := status("sha256=" + string(body)); got != 400 && got != 401 && got != 413 {
				t.Fatalf("broken base64 is answered %d", got)
			}
		}
	})
}
