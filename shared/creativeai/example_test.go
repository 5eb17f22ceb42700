package creativeai_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/clipqueue/clipqueue/shared/creativeai"
)

func ExampleClient_Submit() {
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"gen_1","status":"pending","credits":12}`)
	}))
	defer vendor.Close()

	client, err := creativeai.New(vendor.URL, creativeai.WithVersion("1.0.0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	outcome := client.Submit(context.Background(), "the-api-key", creativeai.Submission{
		Model: "auto", Prompt: "A lighthouse in a storm", WebhookURL: "https://hooks.example.com/creativeai",
	})
	switch outcome.Kind {
	case creativeai.Accepted:
		fmt.Println("wait for", outcome.Generation.ID)
	case creativeai.NotNow, creativeai.AccountRefused, creativeai.Unsent:
		fmt.Println("may be sent again after", outcome.RetryAfter)
	case creativeai.Refused:
		fmt.Println("never:", outcome.Reason)
	case creativeai.Unknown:
		fmt.Println("must not be sent again:", outcome.Reason)
	}
	// Output: wait for gen_1
}

func ExampleClient_Get() {
	vendor := httptest.NewServer(http.NotFoundHandler())
	defer vendor.Close()

	client, err := creativeai.New(vendor.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	generation, err := client.Get(context.Background(), "the-api-key", "gen_1")
	switch {
	case errors.Is(err, creativeai.ErrAccountRefused):
		fmt.Println("tell the operator:", err)
	case err != nil:
		fmt.Println("wait and ask again:", err)
	default:
		fmt.Println(generation.Verdict())
	}
	// Output: wait and ask again: get generation "gen_1": creativeai: the vendor answered 404 Not Found
}

// A webhook handler limits the body, verifies it, and only then parses it.
func ExampleVerify() {
	receive := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<10))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		switch err := creativeai.Verify(body, r.Header.Get(creativeai.SignatureHeader), "the-api-key", "the-one-before"); {
		case errors.Is(err, creativeai.ErrNoKey):
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case err != nil:
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		generation, err := creativeai.ParseCallback(body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Println(generation.ID, generation.Verdict())
	}
	w := httptest.NewRecorder()
	receive(w, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", http.NoBody))
	fmt.Println(w.Code)
	// Output: 401
}
