package story

import (
	"fmt"
	"time"
)

// Span is a duration in its two largest units: "3m 20s", "6d 4h".
func Span(d time.Duration) string {
	if d < 0 {
		return "-" + Span(d.Abs())
	}
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Hour:
		return two(int(d/time.Minute), "m", int(d%time.Minute/time.Second), "s")
	case d < 24*time.Hour:
		return two(int(d/time.Hour), "h", int(d%time.Hour/time.Minute), "m")
	}
	return two(int(d/(24*time.Hour)), "d", int(d%(24*time.Hour)/time.Hour), "h")
}

func two(large int, unit string, small int, smallUnit string) string {
	if small == 0 {
		return fmt.Sprintf("%d%s", large, unit)
	}
	return fmt.Sprintf("%d%s %d%s", large, unit, small, smallUnit)
}

// Distance is how far a time lies from now: "in 3m", "3m ago".
func Distance(at, now time.Time) string {
	d := at.Sub(now)
	if d.Abs() < time.Second {
		return "now"
	}
	if d > 0 {
		return "in " + Span(d)
	}
	return Span(d.Abs()) + " ago"
}
