package jobtest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/clipqueue/clipqueue/shared/job"
)

// Full is a job with every field set, each to another value, down to the last
// one: what keeps only some of them loses one here, also one that is added to
// [job.Job] tomorrow.
func Full(tb testing.TB) job.Job {
	tb.Helper()
	var j job.Job
	f := filler{tb: tb}
	f.fill(reflect.ValueOf(&j).Elem(), "Job")
	j.ExpiresAt = j.ExpiresAt.Truncate(time.Second) // as the rules make it
	return j
}

type filler struct {
	tb testing.TB
	n  int64
}

func (f *filler) fill(v reflect.Value, name string) {
	f.tb.Helper()
	f.n++
	switch value := v.Addr().Interface().(type) {
	case *time.Time:
		*value = Epoch().Add(time.Duration(f.n) * time.Hour)
		return
	case *[]byte:
		*value = fmt.Appendf(nil, "%s\x00\xff %d", name, f.n)
		return
	}
	switch v.Kind() { //nolint:exhaustive // a kind that is not here fails the test
	case reflect.String:
		v.SetString(fmt.Sprintf("%s %d", name, f.n))
	case reflect.Int64:
		v.SetInt(f.n)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0), name)
		f.fill(v.Index(1), name)
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), v.Type().Field(i).Name)
		}
	default:
		f.tb.Fatalf("fill %s: no value for a %s", name, v.Type())
	}
}
