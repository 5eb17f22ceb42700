package creativeai

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds a wait that the vendor asks for. More is a mistake of
// its clock or of its arithmetic.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads a Retry-After header: whole seconds, or an HTTP date, which
// counts from the answer's own Date or else from now. said is false if there is
// none or it is neither; the wait is then 0. A wait is never negative and at
// most a day.
func retryAfter(header http.Header, now func() time.Time) (wait time.Duration, said bool) {
	value := strings.TrimSpace(header.Get("Retry-After"))
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		// Out of range comes as the nearest number there is, and is cut below.
		return bounded(seconds), true
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	from, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		if now == nil {
			return 0, false
		}
		from = now()
	}
	return bounded(int64(date.Sub(from) / time.Second)), true
}

func bounded(seconds int64) time.Duration {
	return time.Duration(min(max(seconds, 0), int64(maxRetryAfter/time.Second))) * time.Second
}
