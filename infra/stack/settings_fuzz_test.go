//go:build !race

package stack

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// FuzzSettings: whatever stands in the CDK context, settings are read the same
// each time, or refused by an error that names every setting it refuses.
func FuzzSettings(f *testing.F) {
	f.Add("maxConcurrency", "5")
	f.Add("maxConcurrency", "1")
	f.Add("claimFor", "90s")
	f.Add("recordDays", "44")
	f.Add("archive", "perhaps")
	f.Add("stage", "blue")
	f.Add("stage", "no good\x00")
	f.Add("Stage", "blue")
	f.Add("creativeaiUrl", "ftp://vendor.example")
	f.Add("@aws-cdk/core:anything", "true")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, name, value string) {
		context := map[string]any{name: value}
		got, err := ParseSettings(context)
		again, errAgain := ParseSettings(context)
		if (err == nil) != (errAgain == nil) || !reflect.DeepEqual(got, again) {
			t.Fatalf("%q=%q is read as %+v (%v), then as %+v (%v)", name, value, got, err, again, errAgain)
		}
		if err == nil {
			return
		}
		refused, ok := errors.AsType[*SettingsError](err)
		if !ok || len(refused.Problems) == 0 || !strings.Contains(err.Error(), name) {
			t.Errorf("%q=%q is refused with %v: want an error that names it", name, value, err)
		}
	})
}
