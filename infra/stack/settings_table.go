package stack

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * hour
)

// Limits that several places must agree on.
const (
	// jobQueueRetention is the longest that SQS keeps a message.
	jobQueueRetention = 14 * day
	// jobQueueVisibility is six times the submit function's time limit, as
	// Lambda's documentation asks for.
	jobQueueVisibility = 6 * submitLimit
	submitLimit        = 2 * minute
)

// Table lists every setting with its default, range and meaning, bound to s.
func (s *Settings) Table() []Setting {
	return slices.Concat(s.generalTable(), s.jobTable(), s.pollTable(), s.archiveTable(), s.operationsTable(), s.functionTable())
}

func (s *Settings) generalTable() []Setting {
	return []Setting{
		pattern("stage", &s.Stage, "main", "1 to 20 lower-case letters, digits and hyphens, a letter first", `^[a-z](-?[a-z0-9]){0,19}$`,
			"Tells several copies in one account apart; part of the stack's name."),
		choice("architecture", &s.Architecture, "Processor of the functions.", "arm64", "x86_64"),
		flag("local", &s.Local, false,
			"For the local engine only: deploys with the caller's own credentials and leaves out resource types that the engine lacks."),
		text("creativeaiUrl", &s.CreativeAIURL, "https://api.creativeai.run", "an absolute http or https URL without a slash at its end",
			"Base URL of the vendor's API. Only a local deployment may use http.", baseURL),
	}
}

func (s *Settings) jobTable() []Setting {
	return []Setting{
		choice("defaultDelivery", &s.DefaultDelivery, "How the result of a job comes back when its message does not say.", "webhook", "poll"),
		number("maxConcurrency", &s.MaxConcurrency, 4, 2, 1000, "functions",
			"Submit functions that run at once at most. Keep it well under the account's concurrency, so that callbacks are always served."),
		number("submitsPerMinute", &s.SubmitsPerMinute, 0, 0, 100_000, "POSTs a minute",
			"Bound on submits to the vendor, shared out over maxConcurrency; 0 is as fast as the vendor takes them."),
		duration("submitTimeout", &s.SubmitTimeout, 30*time.Second, time.Second, 90*time.Second, "Time limit of one POST to the vendor."),
		duration("claimFor", &s.ClaimFor, 90*time.Second, 2*time.Second, 10*minute,
			"How long a claim protects its POST before the job counts as unconfirmed; longer than submitTimeout."),
		duration("firstLookAfter", &s.FirstLookAfter, 5*minute, 2*time.Second, hour,
			"How long after its claim a job is first looked at by reconcile; not shorter than claimFor."),
		duration("queuedFor", &s.QueuedFor, 7*day, minute, 13*day, "How long a job may wait for the vendor to accept it before it expires."),
		duration("unconfirmedFor", &s.UnconfirmedFor, hour, 10*time.Second, day,
			"How long after its POST an unconfirmed job expires; longer than claimFor."),
		duration("processingFor", &s.ProcessingFor, hour, 10*time.Second, day, "How long after its acceptance a job without a verdict expires."),
		number("recordDays", &s.RecordDays, 45, 45, 3650, "days", "How long the record of a job is kept."),
		duration("reconcileEvery", &s.ReconcileEvery, minute, minute, 15*minute, "How often overdue jobs are looked for; whole minutes."),
	}
}

func (s *Settings) pollTable() []Setting {
	return []Setting{
		duration("pollFirstWait", &s.PollFirstWait, 30*time.Second, time.Second, 3*minute, "Wait between acceptance and the first poll."),
		duration("pollEvery", &s.PollEvery, 5*time.Second, time.Second, minute, "Wait between two polls of a young generation."),
		duration("pollSlowAfter", &s.PollSlowAfter, 3*minute, time.Second, 4*minute, "Age of a poll loop from which it polls slower."),
		duration("pollSlowEvery", &s.PollSlowEvery, 15*time.Second, time.Second, minute, "Wait between two polls from then on; not shorter than pollEvery."),
		duration("pollHandOverAfter", &s.PollHandOverAfter, 4*minute, 2*time.Second, 4*minute,
			"Age at which a poll loop ends and leaves the job to reconcile; Express workflows end at 5 minutes."),
	}
}

func (s *Settings) archiveTable() []Setting {
	return []Setting{
		flag("archive", &s.Archive, true, "Copy finished videos to a bucket of this stack."),
		number("archiveConcurrency", &s.ArchiveConcurrency, 2, 2, 1000, "videos",
			"Videos that are copied at a time. Raise it where more are made, and the account's concurrency allows."),
		number("archiveMaxBytes", &s.ArchiveMaxBytes, 5_000_000_000, 1_000_000, 50_000_000_000, "bytes", "Size of the largest video that is copied."),
		duration("archiveTimeout", &s.ArchiveTimeout, 10*minute, 10*time.Second, 14*minute, "Time limit of one attempt at a download."),
		duration("archiveUrlFor", &s.ArchiveURLFor, 0, 0, 12*hour,
			"How long a presigned URL in the archived event lives; 0s puts none in. It ends earlier when the function's own credentials do."),
		number("archiveTransitionDays", &s.ArchiveTransitionDays, 0, 0, 3650, "days",
			"Age at which a copy moves to S3 Standard-Infrequent Access, at least 30; 0 never moves it."),
		number("archiveExpiryDays", &s.ArchiveExpiryDays, 0, 0, 3650, "days", "Age at which a copy is deleted; 0 keeps it."),
		text("archiveTrustedOrigin", &s.ArchiveTrustedOrigin, "", "an origin such as http://127.0.0.1:8080",
			"One origin exempt from the rules for downloads. Only a local deployment may set it.", origin),
	}
}

func (s *Settings) operationsTable() []Setting {
	return []Setting{
		flag("retainData", &s.RetainData, true, "Keep the table and the bucket when the stack is destroyed."),
		flag("operatorPolicies", &s.OperatorPolicies, false,
			"Make two managed policies for people who use the clipqueue command: one to look, one to change things."),
		flag("pointInTimeRecovery", &s.PointInTimeRecovery, true, "Continuous backups of the table."),
		pattern("producerAccounts", &s.ProducerAccounts, "", "account ids of 12 digits with commas between them", `^\d{12}(,\d{12})*$`,
			"Other AWS accounts that may put prompts on the queue."),
		number("eventArchiveDays", &s.EventArchiveDays, 0, 0, 3650, "days",
			"How long the bus keeps events for a replay; 0 keeps none. Not for a local deployment."),
		flag("schemaRegistry", &s.SchemaRegistry, false,
			"Register the schemas of the events in an EventBridge schema registry of this stack. Not for a local deployment."),
		number("webhookRate", &s.WebhookRate, 500, 1, 10_000, "requests a second", "Throttle of the webhook, steady."),
		number("webhookBurst", &s.WebhookBurst, 500, 1, 5000, "requests", "Throttle of the webhook, at once."),
		pattern("webhookDomain", &s.WebhookDomain, "", "a host name", `^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`,
			"Host name of your own for the webhook, with webhookCertificateArn; point it at the output WebhookDomainTarget."),
		pattern("webhookCertificateArn", &s.WebhookCertificateARN, "", "the ARN of an ACM certificate", `^arn:[a-z-]+:acm:[a-z0-9-]+:\d{12}:certificate/[\w-]+$`,
			"Certificate of webhookDomain, in the stack's region."),
		pattern("alarmEmail", &s.AlarmEmail, "", "an e-mail address", `^[^@\s]+@[^@\s]+\.[^@\s]+$`,
			"Who is told of alarms; must confirm a first mail. Without it the topic of alarms has no subscriber."),
		choice("logLevel", &s.LogLevel, "Least level that is logged.", "INFO", "DEBUG", "WARN", "ERROR"),
		wholeNumber("logRetentionDays", &s.LogRetentionDays, 30, "a number of days, one of "+commas(logRetentions()), "How long logs are kept.",
			func(n int) bool { return slices.Contains(logRetentions(), n) }),
		flag("tracing", &s.Tracing, false, "X-Ray traces of the functions and the poll loop."),
	}
}

func (s *Settings) functionTable() []Setting {
	return slices.Concat(
		sizeOf("submit", &s.Submit, 256), sizeOf("webhook", &s.Webhook, 256), sizeOf("poll", &s.Poll, 256),
		sizeOf("reconcile", &s.Reconcile, 256), sizeOf("publish", &s.Publish, 256), sizeOf("archive", &s.Archiver, 512),
	)
}

func sizeOf(name string, f *FunctionSettings, memory int) []Setting {
	return []Setting{
		number(name+"Memory", &f.MemoryMB, memory, 128, 10_240, "MB", fmt.Sprintf("Memory of the %s function.", name)),
		number(name+"Reserved", &f.ReservedConcurrency, 0, 0, 1000, "functions",
			fmt.Sprintf("Concurrency set aside for the %s function; 0 sets none aside.", name)),
	}
}

// logRetentions are the periods that CloudWatch Logs offers, in days.
// Source: the API reference of PutRetentionPolicy.
func logRetentions() []int {
	return []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
}

func commas(numbers []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(numbers)), ", "), "[]")
}

// contradictions are values that are each in range and do not go together.
func (s *Settings) contradictions() []string {
	var problems []string
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	refuse(s.ClaimFor <= s.SubmitTimeout, "claimFor is %s: want more than submitTimeout, which is %s", formatDuration(s.ClaimFor), formatDuration(s.SubmitTimeout))
	refuse(s.FirstLookAfter < s.ClaimFor, "firstLookAfter is %s: want at least claimFor, which is %s", formatDuration(s.FirstLookAfter), formatDuration(s.ClaimFor))
	refuse(s.UnconfirmedFor <= s.ClaimFor, "unconfirmedFor is %s: want more than claimFor, which is %s", formatDuration(s.UnconfirmedFor), formatDuration(s.ClaimFor))
	refuse(s.PollSlowEvery < s.PollEvery, "pollSlowEvery is %s: want at least pollEvery, which is %s", formatDuration(s.PollSlowEvery), formatDuration(s.PollEvery))
	refuse(s.PollFirstWait >= s.PollHandOverAfter, "pollFirstWait is %s: want less than pollHandOverAfter, which is %s", formatDuration(s.PollFirstWait), formatDuration(s.PollHandOverAfter))
	refuse(s.ReconcileEvery%minute != 0, "reconcileEvery is %s: want whole minutes", formatDuration(s.ReconcileEvery))
	refuse(s.ArchiveTransitionDays > 0 && s.ArchiveTransitionDays < 30, "archiveTransitionDays is %d: want 0 or at least 30", s.ArchiveTransitionDays)
	refuse(s.ArchiveExpiryDays > 0 && s.ArchiveExpiryDays <= s.ArchiveTransitionDays, "archiveExpiryDays is %d: want 0 or more than archiveTransitionDays, which is %d", s.ArchiveExpiryDays, s.ArchiveTransitionDays)
	refuse(s.Submit.ReservedConcurrency > 0 && s.Submit.ReservedConcurrency < s.MaxConcurrency, "submitReserved is %d: want 0 or at least maxConcurrency, which is %d", s.Submit.ReservedConcurrency, s.MaxConcurrency)
	refuse(s.Archiver.ReservedConcurrency > 0 && s.Archiver.ReservedConcurrency < s.ArchiveConcurrency,
		"archiveReserved is %d: want 0 or at least archiveConcurrency, which is %d", s.Archiver.ReservedConcurrency, s.ArchiveConcurrency)
	refuse((s.WebhookDomain == "") != (s.WebhookCertificateARN == ""), "webhookDomain is %q and webhookCertificateArn is %q: want both or neither", s.WebhookDomain, s.WebhookCertificateARN)
	refuse(s.Local && s.EventArchiveDays > 0, "eventArchiveDays is %d: the local engine keeps no events, want 0", s.EventArchiveDays)
	refuse(s.Local && s.SchemaRegistry, "schemaRegistry is true: the local engine has no schema registry, want false")
	refuse(!s.Local && s.ArchiveTrustedOrigin != "", "archiveTrustedOrigin is %q: only a local deployment may set it", s.ArchiveTrustedOrigin)
	refuse(!s.Local && !strings.HasPrefix(s.CreativeAIURL, "https://"), "creativeaiUrl is %q: want https, since it is sent the key", s.CreativeAIURL)
	return problems
}
