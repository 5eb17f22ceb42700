// Package boottest holds a function's wiring against the variables that it reads.
package boottest

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/clipqueue/clipqueue/shared/boot"
	"github.com/clipqueue/clipqueue/shared/env"
	"github.com/clipqueue/clipqueue/shared/metric"
)

// Rules are the variables of [boot.Boot.Rules].
func Rules() []string {
	return []string{
		env.ClaimFor, env.FirstLookAfter, env.QueuedFor, env.UnconfirmedFor, env.ProcessingFor, env.RecordFor, env.ArchiveEnabled,
	}
}

// value is one that a variable may have.
func value(name string) string {
	switch name {
	case env.CreativeAIURL, env.WebhookURL, env.JobQueueURL, env.PoisonQueueURL, env.ArchiveQueueURL:
		return "https://" + strings.ToLower(strings.ReplaceAll(name, "_", "-")) + ".example"
	case env.RecordFor:
		return "1080h"
	case env.ClaimFor, env.FirstLookAfter, env.QueuedFor, env.UnconfirmedFor, env.ProcessingFor:
		return "90s"
	case env.SubmitTimeout, env.PollEvery, env.PollSlowEvery, env.PollSlowAfter, env.ArchiveTimeout, env.ArchiveURLFor:
		return "30s"
	case env.PollHandOverAfter:
		return "4m"
	case env.MaxConcurrency, env.SubmitsPerMinute, env.ArchiveMaxBytes:
		return "1000"
	case env.ArchiveEnabled:
		return "true"
	case env.DefaultDelivery:
		return "webhook"
	}
	return "some-" + strings.ToLower(name)
}

// Wiring checks that a function starts when exactly these variables are set, and
// that it names every one that is missing: each alone, and all at once.
func Wiring(t *testing.T, wire func(*boot.Boot) (any, error), variables ...string) {
	t.Helper()
	if handler, err := start(wire, variables); err != nil || handler == nil {
		t.Errorf("with all that it needs: %v, %v", handler, err)
	}
	_, err := start(wire, nil)
	for _, name := range variables {
		if err == nil || !strings.Contains(err.Error(), name+" is not set") {
			t.Errorf("with nothing set, %s is not named: %v", name, err)
		}
		others := slices.DeleteFunc(slices.Clone(variables), func(other string) bool { return other == name })
		if _, err := start(wire, others); err == nil || !strings.Contains(err.Error(), name+" is not set") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func start(wire func(*boot.Boot) (any, error), variables []string) (any, error) {
	now := func() time.Time { return time.Unix(0, 0) }
	b := &boot.Boot{
		Env: env.NewReader(func(name string) (string, bool) { return value(name), slices.Contains(variables, name) }),
		AWS: aws.Config{Region: "eu-central-1"}, Log: slog.New(slog.DiscardHandler), Version: "test",
		Metrics: metric.New(&bytes.Buffer{}, "test", now), Now: now,
	}
	handler, err := wire(b)
	return handler, errors.Join(b.Env.Err(), err)
}
