package store_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
	"github.com/clipqueue/clipqueue/shared/store"
)

// wire is a network that keeps the requests and answers them all with success.
type wire struct{ requests []request }

type request struct {
	Condition    string            `json:"ConditionExpression"`
	Update       string            `json:"UpdateExpression"`
	KeyCondition string            `json:"KeyConditionExpression"`
	Names        map[string]string `json:"ExpressionAttributeNames"`
	Values       map[string]any    `json:"ExpressionAttributeValues"`
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	var req request
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		return nil, err
	}
	w.requests = append(w.requests, req)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader("{}")), Request: r,
	}, nil
}

// operation makes calls of one method.
type operation struct {
	calls int
	run   func(context.Context, *store.Table)
}

// operations call every method of a table, each in every form of its expressions.
func operations(t *testing.T) map[string]operation {
	t.Helper()
	rules := job.DefaultRules()
	full, bare := jobtest.Full(t), jobtest.Full(t)
	bare.Owed, bare.DueAt = nil, time.Time{}
	noVideo := jobtest.Callback(job.Completed)
	noVideo.Result.OutputURLProblem = "there is none"
	return map[string]operation{
		"Get": {1, func(ctx context.Context, table *store.Table) {
			_, _ = table.Get(ctx, "job#1") // the answer is empty
		}},
		"Put": {4, func(ctx context.Context, table *store.Table) {
			for _, prev := range []job.Job{{}, full, bare, rules.Published(full, jobtest.Epoch())} {
				must(t, table.Put(ctx, full, prev))
			}
		}},
		"Settle": {3, func(ctx context.Context, table *store.Table) {
			must(t, table.Settle(ctx, "1", jobtest.Callback(job.Completed)))
			must(t, table.Settle(ctx, "1", jobtest.Callback(job.Failed)))
			must(t, table.Settle(ctx, "1", noVideo))
		}},
		"Due": {1, func(ctx context.Context, table *store.Table) {
			_, err := table.Due(ctx, 0, jobtest.Epoch(), 1)
			must(t, err)
		}},
		"Quarantine": {1, func(ctx context.Context, table *store.Table) {
			must(t, table.Quarantine(ctx, store.Quarantined{Path: "/", Body: []byte("{}"), At: jobtest.Epoch()}))
		}},
		"CreatedBetween": {store.Shards, func(ctx context.Context, table *store.Table) {
			for _, err := range table.CreatedBetween(ctx, jobtest.Epoch(), jobtest.Epoch().Add(time.Second)) {
				must(t, err)
			}
		}},
		"Many": {1, func(ctx context.Context, table *store.Table) {
			_, err := table.Many(ctx, []string{"job#1", "job#2"})
			must(t, err)
		}},
		"ListQuarantine": {1, func(ctx context.Context, table *store.Table) {
			_, err := table.ListQuarantine(ctx, 1)
			must(t, err)
		}},
		"GetQuarantined": {1, func(ctx context.Context, table *store.Table) {
			_, _ = table.GetQuarantined(ctx, "1") // the answer is empty
		}},
		"DropQuarantined": {1, func(ctx context.Context, table *store.Table) {
			must(t, table.DropQuarantined(ctx, "1"))
		}},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestNoReservedWords: DynamoDB refuses expressions with any of several hundred
// words, some of which are names of ours, and the local engine does not. So
// every attribute has an alias, and every alias and value is defined and used.
func TestNoReservedWords(t *testing.T) {
	t.Parallel()
	calls := operations(t)
	for method := range reflect.TypeFor[*store.Table]().Methods() {
		if calls[method.Name].run == nil {
			t.Errorf("the method %s is not tried here", method.Name)
		}
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			network := &wire{}
			client := dynamodb.New(dynamodb.Options{
				Region: "us-east-1", HTTPClient: network, BaseEndpoint: aws.String("http://table.invalid"),
				Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""), RetryMaxAttempts: 1,
			})
			table, err := store.New(client, "jobs", job.DefaultRules(), jobtest.Epoch)
			must(t, err)
			call.run(t.Context(), table)
			if len(network.requests) != call.calls {
				t.Errorf("%d calls made %d requests: want one each", call.calls, len(network.requests))
			}
			for _, r := range network.requests {
				checkExpressions(t, r)
			}
		})
	}
}

func checkExpressions(t *testing.T, r request) {
	t.Helper()
	words := regexp.MustCompile(`[#:]?[A-Za-z_0-9]+`)
	grammar := []string{
		"SET", "ADD", "REMOVE", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN",
		"attribute_exists", "attribute_not_exists", "if_not_exists", "list_append", "begins_with", "size", "contains",
	}
	names, values := map[string]bool{}, map[string]bool{}
	for _, expression := range []string{r.Condition, r.Update, r.KeyCondition} {
		for _, word := range words.FindAllString(expression, -1) {
			switch {
			case word[0] == '#':
				names[word] = true
			case word[0] == ':':
				values[word] = true
			case !slices.Contains(grammar, word):
				t.Errorf("%q in %q is neither an alias nor a value: write #%s", word, expression, word)
			}
		}
	}
	if used, defined := slices.Sorted(maps.Keys(names)), slices.Sorted(maps.Keys(r.Names)); !slices.Equal(used, defined) {
		t.Errorf("aliases used: %v, defined: %v", used, defined)
	}
	if used, defined := slices.Sorted(maps.Keys(values)), slices.Sorted(maps.Keys(r.Values)); !slices.Equal(used, defined) {
		t.Errorf("values used: %v, defined: %v", used, defined)
	}
	for alias, name := range r.Names {
		if alias != "#"+name {
			t.Errorf("%s stands for %s", alias, name)
		}
	}
}
