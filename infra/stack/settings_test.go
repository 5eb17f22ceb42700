//go:build !race

package stack

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/infra/binaries"
)

func TestDefaultsAreAccepted(t *testing.T) {
	s, err := ParseSettings(nil)
	if err != nil {
		t.Fatal(err)
	}
	if s != Defaults() {
		t.Errorf("no context gives %+v, want the defaults %+v", s, Defaults())
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

func TestSettingsAreRead(t *testing.T) {
	s, err := ParseSettings(map[string]any{
		"stage": "blue-2", "maxConcurrency": "7", "submitsPerMinute": 60.0, "archive": false, "retainData": "false",
		"queuedFor": "12h", "unconfirmedFor": "1d", "archiveMemory": "1024",
		"@aws-cdk/core:anything": true, "aws:cdk:enable-path-metadata": true,
		"availability-zones:account=1:region=x": []any{"a"}, "cdk-migrate": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.Stage, want.MaxConcurrency, want.SubmitsPerMinute, want.Archive, want.RetainData = "blue-2", 7, 60, false, false
	want.QueuedFor, want.UnconfirmedFor, want.Archiver.MemoryMB = 12*time.Hour, 24*time.Hour, 1024
	if s != want {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
}

func TestWrongSettingsAreRefusedByName(t *testing.T) {
	for name, tc := range map[string]struct {
		context map[string]any
		want    []string // each in a line of its own
	}{
		"unknown name":             {map[string]any{"colour": "red"}, []string{"colour: there is no such setting"}},
		"case of a name":           {map[string]any{"maxconcurrency": "3"}, []string{"maxconcurrency: there is no such setting (did you mean maxConcurrency?)"}},
		"dashes in a name":         {map[string]any{"max-concurrency": "3"}, []string{"(did you mean maxConcurrency?)"}},
		"text for a number":        {map[string]any{"maxConcurrency": "many"}, []string{`maxConcurrency is "many": want a whole number of functions, 2 to 1000`}},
		"a fraction":               {map[string]any{"recordDays": 45.5}, []string{"recordDays is 45.5: want a whole number of days"}},
		"list":                     {map[string]any{"stage": []any{"a"}}, []string{"stage is [a]: want 1 to 20 lower-case letters"}},
		"null":                     {map[string]any{"archive": nil}, []string{"archive is <nil>: want true or false"}},
		"below the range":          {map[string]any{"maxConcurrency": "1"}, []string{"maxConcurrency"}},
		"above the range":          {map[string]any{"queuedFor": "14d"}, []string{`queuedFor is "14d": want a duration in whole seconds ("90s", "12h", "7d"), 1m to 13d`}},
		"records too short":        {map[string]any{"recordDays": "44"}, []string{"recordDays is \"44\": want a whole number of days, 45 to 3650"}},
		"a number for a duration":  {map[string]any{"claimFor": 90.0}, []string{"claimFor is 90: want a duration"}},
		"parts of a second":        {map[string]any{"claimFor": "90.5s"}, []string{"claimFor"}},
		"not a boolean":            {map[string]any{"archive": "yes"}, []string{`archive is "yes": want true or false`}},
		"not a choice":             {map[string]any{"architecture": "riscv"}, []string{`architecture is "riscv": want one of arm64, x86_64`}},
		"not a delivery":           {map[string]any{"defaultDelivery": "pigeon"}, []string{"one of webhook, poll"}},
		"URL without a scheme":     {map[string]any{"creativeaiUrl": "api.creativeai.run"}, []string{"creativeaiUrl"}},
		"URL with a slash":         {map[string]any{"creativeaiUrl": "https://api.creativeai.run/"}, []string{"without a slash at its end"}},
		"URL with a password":      {map[string]any{"creativeaiUrl": "https://a:b@api.creativeai.run"}, []string{"creativeaiUrl"}},
		"key over plain http":      {map[string]any{"creativeaiUrl": "http://api.creativeai.run"}, []string{"want https"}},
		"not an address":           {map[string]any{"alarmEmail": "ops"}, []string{`alarmEmail is "ops": want an e-mail address`}},
		"upper-case stage":         {map[string]any{"stage": "Prod"}, []string{"stage"}},
		"empty stage":              {map[string]any{"stage": ""}, []string{"stage"}},
		"log period":               {map[string]any{"logRetentionDays": "31"}, []string{"logRetentionDays is \"31\": want a number of days, one of 1, 3, 5, 7"}},
		"claim within its POST":    {map[string]any{"submitTimeout": "60s", "claimFor": "60s"}, []string{"claimFor is 1m: want more than submitTimeout, which is 1m"}},
		"look before the claim":    {map[string]any{"firstLookAfter": "1m"}, []string{"firstLookAfter is 1m: want at least claimFor, which is 1m30s"}},
		"unconfirmed before":       {map[string]any{"unconfirmedFor": "90s"}, []string{"unconfirmedFor is 1m30s: want more than claimFor"}},
		"faster when slow":         {map[string]any{"pollSlowEvery": "2s"}, []string{"pollSlowEvery is 2s: want at least pollEvery, which is 5s"}},
		"hand over before a poll":  {map[string]any{"pollHandOverAfter": "30s"}, []string{"pollFirstWait is 30s: want less than pollHandOverAfter"}},
		"hand over after Express":  {map[string]any{"pollHandOverAfter": "5m"}, []string{"pollHandOverAfter"}},
		"half a minute":            {map[string]any{"reconcileEvery": "90s"}, []string{"reconcileEvery is 1m30s: want whole minutes"}},
		"expiry before transition": {map[string]any{"archiveTransitionDays": "60", "archiveExpiryDays": "50"}, []string{"archiveExpiryDays is 50"}},
		"transition too early":     {map[string]any{"archiveTransitionDays": "7"}, []string{"archiveTransitionDays is 7: want 0 or at least 30"}},
		"reserved below the maximum": {
			map[string]any{"submitReserved": "3"},
			[]string{"submitReserved is 3: want 0 or at least maxConcurrency, which is 4"},
		},
		"reserved below the videos at a time": {
			map[string]any{"archiveReserved": "1"},
			[]string{"archiveReserved is 1: want 0 or at least archiveConcurrency, which is 2"},
		},
		"domain without certificate": {
			map[string]any{"webhookDomain": "hooks.example.com"},
			[]string{`webhookDomain is "hooks.example.com" and webhookCertificateArn is "": want both or neither`},
		},
		"not an account": {
			map[string]any{"producerAccounts": "111111111111, 222222222222"},
			[]string{"producerAccounts is \"111111111111, 222222222222\": want account ids of 12 digits with commas between them"},
		},
		"event archive on the engine": {map[string]any{"local": true, "eventArchiveDays": 7.0}, []string{"the local engine keeps no events"}},
		"schema registry on the engine": {
			map[string]any{"local": true, "schemaRegistry": true},
			[]string{"schemaRegistry is true: the local engine has no schema registry, want false"},
		},
		"trusted origin outside": {
			map[string]any{"archiveTrustedOrigin": "http://127.0.0.1:1"},
			[]string{"only a local deployment may set it"},
		},
		"all problems at once": {
			map[string]any{"colour": "red", "maxConcurrency": "1", "archive": "yes"},
			[]string{"archive is", "colour: there is", "maxConcurrency is"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseSettings(tc.context)
			var refused *SettingsError
			if !errors.As(err, &refused) {
				t.Fatalf("error %v, want a SettingsError", err)
			}
			if len(refused.Problems) != len(tc.want) {
				t.Fatalf("problems %q, want %d", refused.Problems, len(tc.want))
			}
			for i, want := range tc.want {
				if !strings.Contains(refused.Problems[i], want) {
					t.Errorf("problem %q, want one that says %q", refused.Problems[i], want)
				}
				if !strings.Contains(err.Error(), refused.Problems[i]) {
					t.Errorf("error %q does not say %q", err, refused.Problems[i])
				}
			}
		})
	}
}

// A program that fills in the fields is held to the same ranges.
func TestTypedSettingsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"maxConcurrency": func(s *Settings) { s.MaxConcurrency = 1 },
		"claimFor":       func(s *Settings) { s.ClaimFor = 1500 * time.Millisecond },
		"stage":          func(s *Settings) { s.Stage = "" },
		"architecture":   func(s *Settings) { s.Architecture = "arm" },
		"recordDays":     func(s *Settings) { s.RecordDays = -1 },
		"submitMemory":   func(s *Settings) { s.Submit.MemoryMB = 1 },
	} {
		s := Defaults()
		change(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), name+" is ") {
			t.Errorf("%s: error %v, want one that names it", name, err)
		}
	}
	var empty Settings
	if err := empty.Check(); err == nil {
		t.Error("settings that nobody filled in are accepted")
	}
}

func TestEachSettingIsDescribed(t *testing.T) {
	s := Defaults()
	seen := map[string]bool{}
	for _, setting := range s.Table() {
		if seen[setting.Name] {
			t.Errorf("%s is there twice", setting.Name)
		}
		seen[setting.Name] = true
		if setting.Doc == "" || setting.Want == "" || !strings.HasSuffix(setting.Doc, ".") {
			t.Errorf("%s lacks a sentence or a range: %+v", setting.Name, setting)
		}
		if setting.get() != setting.Default {
			t.Errorf("%s is %q by default, and its table says %q", setting.Name, setting.get(), setting.Default)
		}
	}
}

// The local engine runs the host's binaries, unless told otherwise.
func TestLocalRunsTheHostsArchitecture(t *testing.T) {
	s, err := ParseSettings(map[string]any{"local": "true", "creativeaiUrl": "http://127.0.0.1:9", "archiveTrustedOrigin": "http://127.0.0.1:9"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Architecture != hostArchitecture() {
		t.Errorf("architecture %s, want the host's, %s", s.Architecture, hostArchitecture())
	}
	s, err = ParseSettings(map[string]any{"local": "true", "architecture": "arm64"})
	if err != nil || s.Architecture != "arm64" {
		t.Errorf("architecture %s, error %v, want arm64", s.Architecture, err)
	}
}

func TestDurationsReadBack(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1m30s": 90 * time.Second, "7d": 7 * 24 * time.Hour, "168h": 168 * time.Hour, "0s": 0, "1h": time.Hour,
	} {
		got, err := parseDuration(text)
		if err != nil || got != want {
			t.Errorf("%s is read as %v, error %v, want %v", text, got, err, want)
		}
		if again, err := parseDuration(formatDuration(want)); err != nil || again != want {
			t.Errorf("%v is written as %s, which reads as %v, error %v", want, formatDuration(want), again, err)
		}
	}
	for _, text := range []string{"", "d", "1.5d", "-1d", "7 d", "99999999d", "soon"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is read as %v, want an error", text, got)
		}
	}
}

// lowest and highest are every setting at an end of its range, as far as the
// settings go together.
func lowest() map[string]any {
	return map[string]any{
		"stage": "a", "architecture": "arm64", "creativeaiUrl": "https://a.b", "defaultDelivery": "poll", "maxConcurrency": "2", "submitsPerMinute": "0",
		"submitTimeout": "1s", "claimFor": "2s", "firstLookAfter": "2s", "queuedFor": "1m", "unconfirmedFor": "10s", "processingFor": "10s",
		"recordDays": "45", "reconcileEvery": "1m", "pollFirstWait": "1s", "pollEvery": "1s", "pollSlowAfter": "1s", "pollSlowEvery": "1s",
		"pollHandOverAfter": "2s", "webhookRate": "1", "webhookBurst": "1", "archive": "false", "archiveConcurrency": "2", "archiveMaxBytes": "1000000", "archiveTimeout": "10s",
		"archiveUrlFor": "0s", "archiveTransitionDays": "0", "archiveExpiryDays": "0", "archiveTrustedOrigin": "", "retainData": "false",
		"pointInTimeRecovery": "false", "operatorPolicies": "false", "alarmEmail": "", "logLevel": "DEBUG", "logRetentionDays": "1", "tracing": "false", "local": "false",
		"webhookDomain": "", "webhookCertificateArn": "", "producerAccounts": "", "eventArchiveDays": "0", "schemaRegistry": "false",
		"submitMemory": "128", "webhookMemory": "128", "pollMemory": "128", "reconcileMemory": "128", "publishMemory": "128", "archiveMemory": "128",
		"submitReserved": "0", "webhookReserved": "0", "pollReserved": "0", "reconcileReserved": "0", "publishReserved": "0", "archiveReserved": "0",
	}
}

func highest() map[string]any {
	return map[string]any{
		"stage": "a2345678901234567890", "architecture": "x86_64", "creativeaiUrl": "https://api.example.com:8443/v2", "defaultDelivery": "webhook",
		"maxConcurrency": "1000", "submitsPerMinute": "100000", "submitTimeout": "90s", "claimFor": "10m", "firstLookAfter": "1h", "queuedFor": "13d",
		"unconfirmedFor": "1d", "processingFor": "1d", "recordDays": "3650", "reconcileEvery": "15m", "pollFirstWait": "3m", "pollEvery": "1m",
		"pollSlowAfter": "4m", "pollSlowEvery": "1m", "pollHandOverAfter": "4m", "webhookRate": "10000", "webhookBurst": "5000", "archive": "true",
		"archiveConcurrency": "1000", "archiveMaxBytes": "50000000000", "archiveTimeout": "14m", "archiveUrlFor": "12h", "archiveTransitionDays": "3649", "archiveExpiryDays": "3650",
		"archiveTrustedOrigin": "", "retainData": "true", "pointInTimeRecovery": "true", "operatorPolicies": "true", "alarmEmail": "ops@example.com", "logLevel": "ERROR",
		"logRetentionDays": "3653", "tracing": "true", "local": "false", "webhookDomain": "hooks.example.com",
		"webhookCertificateArn": "arn:aws:acm:us-east-1:111111111111:certificate/1-2", "producerAccounts": "111111111111,222222222222", "eventArchiveDays": "3650", "schemaRegistry": "true",
		"submitMemory": "10240", "webhookMemory": "10240", "pollMemory": "10240", "reconcileMemory": "10240", "publishMemory": "10240", "archiveMemory": "10240",
		"submitReserved": "1000", "webhookReserved": "1000", "pollReserved": "1000", "reconcileReserved": "1000", "publishReserved": "1000", "archiveReserved": "1000",
	}
}

// parsed are the settings of a context.
func parsed(t *testing.T, context map[string]any) Settings {
	t.Helper()
	settings, err := ParseSettings(context)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

func TestTheEndsOfEachRangeMakeATemplate(t *testing.T) {
	for name, context := range map[string]map[string]any{"lowest": lowest(), "highest": highest()} {
		t.Run(name, func(t *testing.T) {
			settings := parsed(t, context)
			for _, setting := range settings.Table() {
				if _, there := context[setting.Name]; !there {
					t.Errorf("%s is not tried", setting.Name)
				}
			}
			tpl := synth(t, func(s *Settings) { *s = settings })
			for _, function := range binaries.FunctionNames() {
				if function == "archive" && !settings.Archive {
					continue
				}
				if limit, _ := tpl.function(t, function).Properties["Timeout"].(float64); limit > 900 {
					t.Errorf("%s may run for %v s, Lambda's limit is 900", function, limit)
				}
			}
		})
	}
}
