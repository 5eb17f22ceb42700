// Package e2e holds the bundle against what it promises, from the outside: the
// real stack, deployed by the real CDK command to the local engine with IAM
// enforced, between a queue that tests send to, a vendor that misbehaves on
// demand, and a consumer of the events.
//
// All tests share one bundle. They tell their jobs apart by job_id and by
// prompt, wait for events and never for a while, and prove that nothing came by
// something later that did.
package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/clipqueue/clipqueue/infra/local"
)

// A deployed bundle, with what the tests reach it by.
type deployed struct {
	*local.Bundle
	journal  *journal
	update   *update
	queue    *sqs.Client
	dynamo   *dynamodb.Client
	function *lambda.Client
}

var bundle *deployed

// settings are the stack's, for a vendor that takes 0.5 to 3 s and an operator in a hurry.
func settings() map[string]string {
	return map[string]string{
		"pollFirstWait": "1s", "pollEvery": "1s", "pollSlowEvery": "1s",
		// A breaker that one test's fault opened must not hold up the others' prompts.
		"maxConcurrency": "20",
		"submitTimeout":  "3s", "claimFor": "4s", "unconfirmedFor": "14s",
		// The first look comes when an unconfirmed job is over: the next is half a minute later.
		"firstLookAfter": "15s",
		// Two parts of an upload and a little: the parts are taken away again.
		"archiveMaxBytes": "20000000",
		"logLevel":        "DEBUG",
	}
}

const vendorScale = 1.0 / 60

func TestMain(m *testing.M) {
	flag.Parse()
	ctx, stop := local.Context()
	defer stop()
	code, err := run(ctx, m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	stop()
	os.Exit(code) //nolint:gocritic // stop has been called
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func run(ctx context.Context, m *testing.M) (code int, err error) {
	root, err := local.Root()
	if err != nil {
		return 1, err
	}
	dist := filepath.Join(root, "dist", "e2e")
	if err := os.MkdirAll(dist, 0o750); err != nil {
		return 1, err
	}
	log := filepath.Join(dist, fmt.Sprintf("engine-%d.log", os.Getpid())) // several runs may go on at once
	b, err := local.Start(ctx, local.Options{
		Root: root, Settings: settings(), VendorScale: vendorScale, EngineLog: log, Progress: say,
	})
	if err != nil {
		return 1, err
	}
	defer b.Stop()
	finished := context.AfterFunc(ctx, func() { // ctrl-C must not wait for the tests
		b.Stop()
		os.Exit(1)
	})
	defer finished() // or the end of ctx, after the tests, would be taken for one
	consumer, err := b.Consume(ctx)
	if err != nil {
		return 1, err
	}
	bundle = &deployed{
		Bundle: b, journal: newJournal(ctx, consumer),
		queue: sqs.NewFromConfig(b.AWS), dynamo: dynamodb.NewFromConfig(b.AWS), function: lambda.NewFromConfig(b.AWS),
	}
	if whole() {
		bundle.update = prepareUpdate(ctx) // while tests go on
	}
	code = m.Run()
	if code == 0 && whole() {
		err = audit(ctx, log)
	}
	if code != 0 || err != nil {
		return 1, errors.Join(err, fmt.Errorf("the engine's log, with the functions' output, is %s", log))
	}
	return 0, os.Remove(log)
}

// audit is what only a whole run can show.
func audit(ctx context.Context, engineLog string) error {
	began := time.Now()
	err := errors.Join(leastPrivilege(ctx), quietLogs(ctx, engineLog))
	say("least privilege and quiet logs: %.1f s", time.Since(began).Seconds())
	return err
}

// whole says whether all tests run.
func whole() bool {
	return flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
}
