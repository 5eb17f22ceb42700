package request_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/shared/request"
)

// wrong is what a file of testdata/invalid must be answered with.
type wrong struct {
	field   string
	problem string // a part of it
	jobID   string
	known   bool // the metadata {"n":1} come back
}

func wrongs() map[string]wrong {
	return map[string]wrong{
		"empty":                 {problem: "message is empty"},
		"blank":                 {problem: "message is empty"},
		"not-json":              {problem: "not valid JSON at byte 0"},
		"array":                 {problem: "an array: send one JSON object"},
		"string":                {problem: "a string: send one JSON object"},
		"null":                  {problem: "null: send one JSON object"},
		"two-objects":           {problem: "not valid JSON at byte 23"},
		"cut":                   {field: "prompt", problem: "ends too early in prompt", jobID: "cut-1", known: true},
		"byte-order-mark":       {problem: "byte order mark"},
		"trailing-comma":        {problem: "not valid JSON at byte 38", jobID: "c-1"},
		"duplicate-name":        {field: "prompt", problem: `"prompt" occurs twice`, jobID: "d-1", known: true},
		"duplicate-by-escape":   {field: "model", problem: `"model" occurs twice`},
		"duplicate-in-metadata": {field: "metadata", problem: `"n" occurs twice in one object in metadata`, jobID: "d-2"},
		"duplicate-metadata":    {field: "metadata", problem: `"metadata" occurs twice`, jobID: "d-3"},
		"duplicate-job-id":      {field: "job_id", problem: `"job_id" occurs twice`},
		"bad-utf8":              {field: "prompt", problem: "invalid UTF-8", jobID: "u-1", known: true},
		"bad-utf8-metadata":     {field: "metadata", problem: "invalid UTF-8", jobID: "u-2"},
		"lone-surrogate":        {field: "prompt", problem: "invalid surrogate pair", jobID: "u-3", known: true},
		"nul-raw":               {field: "prompt", problem: "non-control character", jobID: "n-1"},
		"nul-escaped":           {field: "prompt", problem: "prompt contains a NUL", jobID: "n-2", known: true},
		"nul-in-metadata":       {field: "metadata", problem: `NUL character at "/a/0/b"`, jobID: "n-3"},
		"nul-in-name":           {field: "se\uFFFDed", problem: "a name with a NUL", jobID: "n-4"},
		"no-prompt":             {field: "prompt", problem: "prompt is missing", jobID: "p-1"},
		"null-prompt":           {field: "prompt", problem: "prompt is missing", jobID: "p-2"},
		"blank-prompt":          {field: "prompt", problem: "prompt is blank", jobID: "p-3", known: true},
		"empty-prompt":          {field: "prompt", problem: "prompt is blank"},
		"prompt-object":         {field: "prompt", problem: "prompt is an object: write a string"},
		"job-id-space":          {field: "job_id", problem: "letters, digits", jobID: "order 1042", known: true},
		"job-id-slash":          {field: "job_id", problem: "letters, digits", jobID: "../x"},
		"job-id-number":         {field: "job_id", problem: "job_id is a number: write a string"},
		"job-id-empty":          {field: "job_id", problem: "job_id is blank"},
		"job-id-long":           {field: "job_id", problem: "has 65 bytes, at most 64", jobID: strings.Join([]string{"aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc", "dddddddddd", "eeeeeeeeee", "ffffffffff", "1234"}, "")},
		"job-id-control":        {field: "job_id", problem: "NUL", jobID: "a\uFFFD\uFFFDb"},
		"model-blank":           {field: "model", problem: "model is blank"},
		"model-number":          {field: "model", problem: "model is a number"},
		"aspect-ratio-number":   {field: "aspect_ratio", problem: "aspect_ratio is a number"},
		"resolution-number":     {field: "resolution", problem: "resolution is a number"},
		"duration-string":       {field: "duration", problem: `duration is "5s", a string: write the seconds as a whole number`},
		"duration-string-long":  {field: "duration", problem: `five five", a string: write the seconds as a whole number`},
		"duration-negative":     {field: "duration", problem: "duration is -5: write"},
		"duration-zero":         {field: "duration", problem: "duration is 0: write"},
		"duration-float":        {field: "duration", problem: "duration is 5.0: write"},
		"duration-exponent":     {field: "duration", problem: "duration is 1e1: write"},
		"duration-long":         {field: "duration", problem: "from 1 to 3600"},
		"duration-huge":         {field: "duration", problem: "from 1 to 3600"},
		"failover-string":       {field: "failover", problem: "write true or false"},
		"failover-number":       {field: "failover", problem: "write true or false"},
		"delivery-unknown":      {field: "delivery", problem: `is "email": write "webhook" or "poll"`, known: true},
		"delivery-case":         {field: "delivery", problem: `is "Poll": write "webhook" or "poll"`},
		"webhook-url":           {field: "webhook_url", problem: "is ours to set", jobID: "w-1", known: true},
		"webhook-url-case":      {field: "Webhook_URL", problem: "is ours to set", jobID: "w-2"},
		"webhook-url-null":      {field: "webhook_url", problem: "is ours to set"},
		"case-prompt":           {field: "Prompt", problem: "write prompt", jobID: "c-1"},
		"case-job-id":           {field: "Job_ID", problem: "write job_id"},
		"case-beside":           {field: "DURATION", problem: "write duration"},
		"case-long-s":           {field: "a\u017fpect_ratio", problem: "write aspect_ratio"},
		"metadata-array":        {field: "metadata", problem: "metadata is an array: write a JSON object"},
		"metadata-string":       {field: "metadata", problem: "metadata is a string: write a JSON object"},
		"metadata-integer":      {field: "metadata", problem: `12345678901234567890 at "/order/id", which does not fit`, jobID: "m-1"},
		"metadata-float":        {field: "metadata", problem: "1e400", jobID: "m-2"},
		"extra-integer":         {field: "seed", problem: "seed contains the number -9223372036854775809, which", jobID: "x-1", known: true},
	}
}

func TestParseInvalidFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/invalid/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(wrongs()) {
		t.Errorf("%d files and %d expectations: want one for each", len(files), len(wrongs()))
	}
	for name, want := range wrongs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(filepath.Join("testdata/invalid", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			got := parseInvalid(t, body)
			checkWrong(t, got, want, body)
		})
	}
}

func checkWrong(t *testing.T, got *request.Invalid, want wrong, body []byte) {
	t.Helper()
	if got.Field != want.field || !strings.Contains(got.Problem, want.problem) {
		t.Errorf("field %q, problem %q; want %q and …%s…", got.Field, got.Problem, want.field, want.problem)
	}
	if got.ClaimedJobID != want.jobID {
		t.Errorf("claimed job_id %q, want %q", got.ClaimedJobID, want.jobID)
	}
	metadata, excerpt := "", string(body)
	if want.known {
		metadata, excerpt = `{"n":1}`, ""
	}
	if string(got.Metadata) != metadata {
		t.Errorf("metadata %q, want %q", got.Metadata, metadata)
	}
	if want.known != (got.Excerpt == "") && len(body) > 0 {
		t.Errorf("excerpt %q of %q", got.Excerpt, excerpt)
	}
}

// parseInvalid holds what is true of every refusal.
func parseInvalid(t *testing.T, body []byte) *request.Invalid {
	t.Helper()
	r, err := request.Parse(body, messageID)
	var invalid *request.Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("got %v and request %+v, want an *Invalid", err, r)
	}
	checkBounded(t, invalid)
	return invalid
}

func checkBounded(t *testing.T, invalid *request.Invalid) {
	t.Helper()
	for name, field := range map[string]struct {
		text  string
		bytes int
	}{
		"Problem":      {invalid.Problem, 1024},
		"Field":        {invalid.Field, 64},
		"ClaimedJobID": {invalid.ClaimedJobID, 64},
		"Excerpt":      {invalid.Excerpt, 256},
	} {
		if len(field.text) > field.bytes || !utf8.ValidString(field.text) || strings.ContainsRune(field.text, 0) {
			t.Errorf("%s is %q: want at most %d bytes of UTF-8 without NUL", name, field.text, field.bytes)
		}
	}
	if invalid.Problem == "" || !strings.Contains(invalid.Error(), invalid.Problem) || !strings.Contains(invalid.Problem, invalid.Field) {
		t.Errorf("problem %q of field %q, error %q", invalid.Problem, invalid.Field, invalid)
	}
	if invalid.Metadata != nil && !json.Valid(invalid.Metadata) {
		t.Errorf("metadata %q is no JSON", invalid.Metadata)
	}
}

func TestParseTooMuch(t *testing.T) {
	t.Parallel()
	object := func(fields string) string { return `{"job_id":"big-1","prompt":"a red kite",` + fields + `}` }
	long := strings.Repeat
	for name, test := range map[string]struct {
		body string
		want wrong
	}{
		"1 MiB of nonsense": {long("nonsense", 1<<17), wrong{problem: "1048576 bytes, at most 131072"}},
		"1 MiB of prompt":   {`{"metadata":{"n":1},"prompt":"` + long("x", 1<<20) + `"}`, wrong{problem: "at most 131072", known: true}},
		"1 MiB of white space": {
			object(`"metadata":{"n":1}`) + long(" ", 1<<20), wrong{problem: "at most 131072", jobID: "big-1", known: true},
		},
		"a byte over the message's limit": {
			object(`"pad":"` + long("x", events.MaxMessageBytes+1-len(object(`"pad":""`))) + `"`),
			wrong{problem: "131073 bytes", jobID: "big-1"},
		},
		"10,000 levels":         {object(`"a":` + long("[", 9_999) + long("]", 9_999)), wrong{field: "a", problem: "a nests deeper than 32", jobID: "big-1"}},
		"20,000 levels":         {object(`"a":` + long(`{"b":`, 20_000) + "1" + long("}", 20_000)), wrong{field: "a", problem: "in a", jobID: "big-1"}},
		"100,000 open brackets": {long("[", 100_000), wrong{problem: "but an array"}},
		"33 levels of metadata": {object(`"metadata":` + nested(33)), wrong{field: "metadata", problem: "deeper than 32", jobID: "big-1"}},
		"33 levels of extra":    {object(`"x":` + nested(33)), wrong{field: "x", problem: "deeper than 32", jobID: "big-1"}},
		"long prompt": {
			`{"prompt":"` + long("ü", events.MaxPromptBytes/2) + `x"}`, wrong{field: "prompt", problem: "has 32769 bytes"},
		},
		"long model": {object(`"model":"` + long("m", 257) + `"`), wrong{field: "model", problem: "has 257 bytes", jobID: "big-1"}},
		"large metadata": {
			object(`"metadata":{"a":"` + long("x", events.MaxMetadataBytes-7) + `"}`),
			wrong{field: "metadata", problem: "has 8193 bytes", jobID: "big-1"},
		},
		"long name": {object(`"` + long("n", 9_000) + `":1e999`), wrong{field: long("n", 64), problem: "1e999", jobID: "big-1"}},
		"long number": {
			object(`"n":` + long("9", 9_000)), wrong{field: "n", problem: "n contains the number " + long("9", 64) + ",", jobID: "big-1"},
		},
		"control characters": {long("\x00\x1b", 300), wrong{problem: "not valid JSON"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkWrong(t, parseInvalid(t, []byte(test.body)), test.want, []byte(test.body))
		})
	}
}

func TestExcerptIsCutAtARune(t *testing.T) {
	t.Parallel()
	got := parseInvalid(t, []byte(strings.Repeat("砂", 200)))
	if want := strings.Repeat("砂", 85); !cmp.Equal(got.Excerpt, want) {
		t.Errorf("excerpt %q, want 85 runes of 3 bytes", got.Excerpt)
	}
}

// nested is an object that nests so many levels deep.
func nested(levels int) string {
	return strings.Repeat(`{"a":`, levels-1) + "{}" + strings.Repeat("}", levels-1)
}
