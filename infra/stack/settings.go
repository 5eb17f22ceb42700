package stack

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are everything that can be chosen about a deployment. Start from
// [Defaults]; each field is one setting of the same name, described with its
// default and range by [Settings.Table].
type Settings struct {
	Stage        string
	Architecture string
	Local        bool

	CreativeAIURL    string
	DefaultDelivery  string
	MaxConcurrency   int
	SubmitsPerMinute int
	SubmitTimeout    time.Duration
	ClaimFor         time.Duration
	FirstLookAfter   time.Duration
	QueuedFor        time.Duration
	UnconfirmedFor   time.Duration
	ProcessingFor    time.Duration
	RecordDays       int
	ReconcileEvery   time.Duration

	PollFirstWait     time.Duration
	PollEvery         time.Duration
	PollSlowAfter     time.Duration
	PollSlowEvery     time.Duration
	PollHandOverAfter time.Duration

	WebhookRate           int
	WebhookBurst          int
	WebhookDomain         string
	WebhookCertificateARN string

	ProducerAccounts string
	EventArchiveDays int
	SchemaRegistry   bool

	Archive               bool
	ArchiveConcurrency    int
	ArchiveMaxBytes       int
	ArchiveTimeout        time.Duration
	ArchiveURLFor         time.Duration
	ArchiveTransitionDays int
	ArchiveExpiryDays     int
	ArchiveTrustedOrigin  string

	OperatorPolicies    bool
	RetainData          bool
	PointInTimeRecovery bool
	AlarmEmail          string
	LogLevel            string
	LogRetentionDays    int
	Tracing             bool

	Submit    FunctionSettings
	Webhook   FunctionSettings
	Poll      FunctionSettings
	Reconcile FunctionSettings
	Publish   FunctionSettings
	Archiver  FunctionSettings
}

// FunctionSettings size one function.
type FunctionSettings struct {
	// MemoryMB is the function's memory in MB; its share of a CPU grows with it.
	MemoryMB int
	// ReservedConcurrency is set aside for the function alone; 0 reserves nothing.
	ReservedConcurrency int
}

// Defaults are the settings of a deployment for which nothing was chosen.
func Defaults() Settings {
	var s Settings
	for _, setting := range s.Table() {
		if err := setting.set(setting.Default); err != nil {
			panic(fmt.Sprintf("stack: the default of %s is refused: %v", setting.Name, err))
		}
	}
	return s
}

// ParseSettings reads settings from CDK context, as given by
// `cdk deploy -c name=value` or under "context" in cdk.json. Keys that belong
// to CDK itself are passed over. The error names every setting that is
// unknown, of the wrong type or out of range, and is a [*SettingsError].
func ParseSettings(context map[string]any) (Settings, error) {
	s := Defaults()
	table := map[string]Setting{}
	for _, setting := range s.Table() {
		table[setting.Name] = setting
	}
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(context)) {
		if belongsToCDK(name) {
			continue
		}
		setting, known := table[name]
		if !known {
			problems = append(problems, fmt.Sprintf("%s: there is no such setting%s", name, didYouMean(name, table)))
			continue
		}
		if err := setting.assign(context[name]); err != nil {
			problems = append(problems, fmt.Sprintf("%s is %s: want %s", name, quoted(context[name]), setting.Want))
		}
	}
	if len(problems) > 0 {
		return Settings{}, &SettingsError{Problems: problems}
	}
	if _, chosen := context["architecture"]; s.Local && !chosen {
		s.Architecture = hostArchitecture()
	}
	return s, s.Check()
}

// Check holds the settings against their ranges and against each other. The
// error names every problem and is a [*SettingsError].
func (s *Settings) Check() error {
	var problems []string
	for _, setting := range s.Table() {
		if value := setting.get(); setting.set(value) != nil {
			problems = append(problems, fmt.Sprintf("%s is %q: want %s", setting.Name, value, setting.Want))
		}
	}
	if len(problems) == 0 {
		problems = s.contradictions()
	}
	if len(problems) > 0 {
		return &SettingsError{Problems: problems}
	}
	return nil
}

// SettingsError says what is wrong with the settings, one line a problem.
type SettingsError struct{ Problems []string }

func (e *SettingsError) Error() string {
	return "clipqueue: the settings are refused, nothing was deployed:\n  " + strings.Join(e.Problems, "\n  ")
}

// belongsToCDK tells CDK's feature flags ("@aws-cdk/…"), options ("aws:cdk:…")
// and cached look-ups ("availability-zones:…") from settings.
func belongsToCDK(key string) bool {
	return strings.HasPrefix(key, "@") || strings.Contains(key, ":") || strings.HasPrefix(key, "cdk-")
}

// didYouMean helps with the commonest slip, which is upper and lower case.
func didYouMean(name string, table map[string]Setting) string {
	for known := range table {
		if strings.EqualFold(strings.NewReplacer("-", "", "_", "").Replace(name), known) {
			return fmt.Sprintf(" (did you mean %s?)", known)
		}
	}
	return "; the README lists them all"
}

func quoted(value any) string {
	if s, ok := value.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(value)
}

var errNotPlain = errors.New("neither a string, a number nor a boolean")

// assign takes the three plain types that JSON context can hold; the command
// line only ever makes strings.
func (s Setting) assign(value any) error {
	switch v := value.(type) {
	case string:
		return s.set(v)
	case bool:
		return s.set(strconv.FormatBool(v))
	case float64:
		return s.set(strconv.FormatFloat(v, 'f', -1, 64))
	default:
		return errNotPlain
	}
}
