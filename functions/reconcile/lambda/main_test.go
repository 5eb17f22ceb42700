package main

import (
	"testing"

	"github.com/clipqueue/clipqueue/shared/boot/boottest"
	"github.com/clipqueue/clipqueue/shared/env"
)

func TestWire(t *testing.T) {
	t.Parallel()
	boottest.Wiring(t, wire, append(boottest.Rules(), env.TableName, env.APIKeySecretID, env.CreativeAIURL, env.JobQueueURL)...)
}
