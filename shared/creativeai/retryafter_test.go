package creativeai_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai"
)

func clock() time.Time { return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC) }

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const date = "Sun, 01 Mar 2026 10:00:00 GMT"
	tests := []struct {
		name, value, date string
		now               func() time.Time
		want              time.Duration
		said              bool
	}{
		{"none", "", "", nil, 0, false},
		{"seconds", "120", "", nil, 2 * time.Minute, true},
		{"space around", " 120 ", "", nil, 2 * time.Minute, true},
		{"zero", "0", "", nil, 0, true},
		{"negative", "-1", "", nil, 0, true},
		{"ten years", "315360000", "", nil, 24 * time.Hour, true},
		{"past int64", "99999999999999999999999", "", nil, 24 * time.Hour, true},
		{"past int64, negative", "-99999999999999999999999", "", nil, 0, true},
		{"past a duration", "9223372036854775807", "", nil, 24 * time.Hour, true},
		{"date, from the answer's", "Sun, 01 Mar 2026 10:01:30 GMT", date, nil, 90 * time.Second, true},
		{"the answer's date before the clock", "Sun, 01 Mar 2026 12:00:10 GMT", "Sun, 01 Mar 2026 12:00:00 GMT", clock, 10 * time.Second, true},
		{"date, from the clock", "Sun, 01 Mar 2026 10:01:30 GMT", "", clock, 90 * time.Second, true},
		{"date, junk in the answer's", "Sun, 01 Mar 2026 10:01:30 GMT", "yesterday", clock, 90 * time.Second, true},
		{"date, from nothing", "Sun, 01 Mar 2026 10:01:30 GMT", "", nil, 0, false},
		{"date gone by", "Sun, 01 Mar 2026 09:00:00 GMT", date, nil, 0, true},
		{"date in ten years", "Fri, 01 Mar 2036 10:00:00 GMT", date, nil, 24 * time.Hour, true},
		{"RFC 850 date", "Sunday, 01-Mar-26 10:01:30 GMT", date, nil, 90 * time.Second, true},
		{"junk", "soon", date, clock, 0, false},
		{"fraction", "1.5", date, clock, 0, false},
		{"hex", "0x10", date, clock, 0, false},
		{"list", "1, 2", date, clock, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{}
			header.Set("Retry-After", tt.value)
			header.Set("Date", tt.date)
			got, said := creativeai.RetryAfter(header, tt.now)
			if got != tt.want || said != tt.said {
				t.Errorf("%v, %v, want %v, %v", got, said, tt.want, tt.said)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("-1", "Sun, 01 Mar 2026 10:00:00 GMT")
	f.Add("Sun, 01 Mar 2026 10:01:30 GMT", "Sun, 01 Mar 2026 10:00:00 GMT")
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		header := http.Header{"Retry-After": {value}, "Date": {date}}
		got, said := creativeai.RetryAfter(header, clock)
		if got < 0 || got > 24*time.Hour || (got > 0 && !said) {
			t.Errorf("%v, %v", got, said)
		}
	})
}
