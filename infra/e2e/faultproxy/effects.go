package faultproxy

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// Effect answers a call that a fault struck; forward does the call.
type Effect func(w http.ResponseWriter, r *http.Request, forward http.Handler)

// Refuse answers with an error of the service and does nothing: say 400,
// "ProvisionedThroughputExceededException". S3 speaks XML, and sees the status alone.
func Refuse(status int, code string) Effect {
	return Answer(status, func([]byte) any {
		return map[string]string{"__type": code, "message": "refused by the fault proxy"}
	})
}

// Answer answers in the service's place, with what body makes of the request, as JSON.
func Answer(status int, body func(request []byte) any) Effect {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		request, err := io.ReadAll(r.Body)
		if err != nil {
			hangUp()
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body(request)) // the client may have gone
	}
}

// Cut ends the connection and does nothing.
func Cut() Effect {
	return func(http.ResponseWriter, *http.Request, http.Handler) { hangUp() }
}

// LoseAnswer does the call and ends the connection instead of answering.
func LoseAnswer() Effect {
	return func(_ http.ResponseWriter, r *http.Request, forward http.Handler) {
		forward.ServeHTTP(nowhere{http.Header{}}, r)
		hangUp()
	}
}

// Slow waits before it does the call, unless the client goes first.
func Slow(d time.Duration) Effect {
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			forward.ServeHTTP(w, r)
		case <-r.Context().Done():
			hangUp()
		}
	}
}

// Before does something of the test's at the call's arrival, and then the effect.
func Before(do func(), then Effect) Effect {
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		do()
		then(w, r, forward)
	}
}

// After does the call, then something of the test's, and loses the answer.
func After(do func()) Effect {
	return func(_ http.ResponseWriter, r *http.Request, forward http.Handler) {
		forward.ServeHTTP(nowhere{http.Header{}}, r)
		do()
		hangUp()
	}
}

// hangUp has the server end the connection without another byte.
func hangUp() { panic(http.ErrAbortHandler) }

// nowhere takes an answer that nobody shall see.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) WriteHeader(int)             {}
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
