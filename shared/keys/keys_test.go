package keys_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/clipqueue/clipqueue/shared/keys"
)

const secretID = "clipqueue/creativeai-api-key"

// vault is a Secrets Manager with one secret.
type vault struct {
	mu     sync.Mutex
	values map[string]string // by stage
	binary bool
	down   error
	slow   time.Duration
	reads  map[string]int
}

func (v *vault) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	v.mu.Lock()
	stage := aws.ToString(in.VersionStage)
	if v.reads == nil {
		v.reads = map[string]int{}
	}
	v.reads[stage]++
	value, found := v.values[stage]
	down, slow, binary := v.down, v.slow, v.binary
	v.mu.Unlock()

	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch {
	case aws.ToString(in.SecretId) != secretID:
		return nil, fmt.Errorf("asked for %q", aws.ToString(in.SecretId))
	case down != nil:
		return nil, down
	case !found:
		return nil, fmt.Errorf("operation error: %w", &types.ResourceNotFoundException{})
	case binary:
		return &secretsmanager.GetSecretValueOutput{SecretBinary: []byte(value)}, nil
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(value)}, nil
}

func (v *vault) set(current, previous string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.values = map[string]string{"AWSCURRENT": current, "AWSPREVIOUS": previous}
}

func (v *vault) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.down = err
}

func (v *vault) wantReads(t *testing.T, current, previous int) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.reads["AWSCURRENT"] != current || v.reads["AWSPREVIOUS"] != previous {
		t.Errorf("read %d times the current key and %d times the previous, want %d and %d",
			v.reads["AWSCURRENT"], v.reads["AWSPREVIOUS"], current, previous)
	}
}

func source(t *testing.T, v *vault) *keys.Source {
	t.Helper()
	s, err := keys.New(v, secretID, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantPair(t *testing.T, s *keys.Source, current, previous string) {
	t.Helper()
	gotCurrent, gotPrevious, err := s.Pair(t.Context())
	if err != nil || gotCurrent != current || gotPrevious != previous {
		t.Errorf("pair %q, %q, %v, want %q, %q", gotCurrent, gotPrevious, err, current, previous)
	}
}

func wantCurrent(t *testing.T, s *keys.Source, want string) {
	t.Helper()
	if got, err := s.Current(t.Context()); err != nil || got != want {
		t.Errorf("current %q, %v, want %q", got, err, want)
	}
}

var errDown = errors.New("service unavailable")

func TestCurrentReadsOnceAndTheCurrentKeyOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{}
		v.set(" key-2\n", "key-1")
		s := source(t, v)
		v.wantReads(t, 0, 0)
		for range 100 {
			wantCurrent(t, s, "key-2")
		}
		time.Sleep(10 * time.Second)
		if err := s.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		v.wantReads(t, 2, 0)
	})
}

func TestPairIsCached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{}
		v.set("key-2", "\tkey-1 ")
		s := source(t, v)
		for range 299 {
			wantPair(t, s, "key-2", "key-1")
			time.Sleep(time.Second)
		}
		v.wantReads(t, 1, 1)
	})
}

// Before the first rotation there is no previous version, and asking for it on
// every callback would cost each one a call.
func TestNoPreviousKey(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]map[string]string{
		"missing": {"AWSCURRENT": "key-1"},
		"empty":   {"AWSCURRENT": "key-1", "AWSPREVIOUS": ""},
		"blank":   {"AWSCURRENT": "key-1", "AWSPREVIOUS": " \n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := &vault{values: values}
				s := source(t, v)
				for range 29 {
					wantPair(t, s, "key-1", "")
					time.Sleep(10 * time.Second)
				}
				v.wantReads(t, 1, 1)
				if err := s.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestNoKeyYet(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]map[string]string{
		"no value": {}, "empty": {"AWSCURRENT": ""}, "blank": {"AWSCURRENT": " \r\n"}, "JSON": {"AWSCURRENT": `{"key":"secret-value"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := &vault{values: values}
				s := source(t, v)
				for range 10 {
					_, err := s.Current(t.Context())
					if !errors.Is(err, keys.ErrNoKey) || !strings.Contains(err.Error(), "put-secret-value --secret-id "+secretID) || strings.Contains(err.Error(), "secret-value\"") {
						t.Errorf("current: %v", err)
					}
					if _, _, err := s.Pair(t.Context()); !errors.Is(err, keys.ErrNoKey) {
						t.Errorf("pair: %v", err)
					}
				}
				v.wantReads(t, 1, 1)

				v.set("key-1", "")
				time.Sleep(3 * time.Second)
				wantPair(t, s, "key-1", "")
			})
		})
	}
}

func TestBinarySecret(t *testing.T) {
	t.Parallel()
	v := &vault{values: map[string]string{"AWSCURRENT": "key-1\n"}, binary: true}
	wantCurrent(t, source(t, v), "key-1")
}

func TestRefreshAtMostEveryThreeSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{}
		v.set("key-1", "")
		s := source(t, v)
		wantPair(t, s, "key-1", "")
		v.set("key-2", "key-1")
		for range 29 { // 2.9 s
			if err := s.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		v.wantReads(t, 1, 1)
		wantPair(t, s, "key-1", "")

		time.Sleep(100 * time.Millisecond)
		if err := s.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		v.wantReads(t, 2, 2)
		wantPair(t, s, "key-2", "key-1")
	})
}

// A forger who makes every callback ask for a refresh must not make every one
// of them a failed read, either.
func TestFailedRefreshCountsAndKeepsTheKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{}
		v.set("key-2", "key-1")
		s := source(t, v)
		wantPair(t, s, "key-2", "key-1")
		v.fail(errDown)
		time.Sleep(3 * time.Second)
		for range 20 {
			if err := s.Refresh(t.Context()); !errors.Is(err, errDown) || !strings.Contains(err.Error(), secretID) {
				t.Errorf("refresh: %v, want why it failed", err)
			}
			wantPair(t, s, "key-2", "key-1")
			time.Sleep(100 * time.Millisecond)
		}
		v.wantReads(t, 2, 2)
	})
}

func TestColdAndDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{down: errDown}
		v.set("key-1", "")
		s := source(t, v)
		for range 5 {
			if _, _, err := s.Pair(t.Context()); !errors.Is(err, errDown) || errors.Is(err, keys.ErrNoKey) {
				t.Errorf("pair: %v", err)
			}
			if _, err := s.Current(t.Context()); !errors.Is(err, errDown) {
				t.Errorf("current: %v", err)
			}
		}
		v.wantReads(t, 1, 1)
		v.fail(nil)
		time.Sleep(3 * time.Second)
		wantPair(t, s, "key-1", "")
	})
}

// Without the previous key a callback signed with it would be refused for good.
func TestPairNeedsBothToBeReadable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{}
		v.set("key-2", "key-1")
		s := source(t, v)
		wantCurrent(t, s, "key-2")
		v.fail(errDown)
		if current, _, err := s.Pair(t.Context()); !errors.Is(err, errDown) || current != "" {
			t.Errorf("pair: %q, %v", current, err)
		}
		wantCurrent(t, s, "key-2")
	})
}

func TestWarmAndDownServesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{}
		v.set("key-2", "key-1")
		s := source(t, v)
		wantPair(t, s, "key-2", "key-1")
		v.fail(errDown)
		time.Sleep(48 * time.Hour)
		for range 10 {
			wantPair(t, s, "key-2", "key-1")
		}
		v.wantReads(t, 2, 2)
	})
}

// A key is retired by two rotations; an instance that saw neither must notice.
func TestRetiredKeyIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{}
		v.set("key-1", "")
		s := source(t, v)
		wantPair(t, s, "key-1", "")
		v.set("key-3", "key-2")
		time.Sleep(5*time.Minute - time.Second)
		wantPair(t, s, "key-1", "")
		time.Sleep(time.Second)
		wantPair(t, s, "key-3", "key-2")
	})
}

func TestEmptiedSecretIsNoOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{}
		v.set("key-1", "")
		s := source(t, v)
		wantCurrent(t, s, "key-1")
		v.set("", "")
		time.Sleep(5 * time.Minute)
		if key, err := s.Current(t.Context()); !errors.Is(err, keys.ErrNoKey) || key != "" {
			t.Errorf("current %q, %v", key, err)
		}
	})
}

func TestManyAtOnceReadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{slow: time.Second}
		v.set("key-2", "key-1")
		s := source(t, v)
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() { wantPair(t, s, "key-2", "key-1") })
		}
		group.Wait()
		v.wantReads(t, 1, 1)

		time.Sleep(3 * time.Second)
		for range 50 {
			group.Go(func() {
				if err := s.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		// Those with a key at hand do not wait for the ones who read.
		synctest.Wait()
		start := time.Now()
		wantPair(t, s, "key-2", "key-1")
		if time.Since(start) != 0 {
			t.Errorf("waited %v", time.Since(start))
		}
		group.Wait()
		v.wantReads(t, 2, 2)
	})
}

func TestHangingReadIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{slow: time.Hour}
		v.set("key-1", "")
		s := source(t, v)
		start := time.Now()
		if _, _, err := s.Pair(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// A caller that gives up has not found out anything about the secret.
func TestCallerWhoGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{slow: time.Second}
		v.set("key-1", "")
		s := source(t, v)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := s.Current(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("current: %v", err)
		}
		wantCurrent(t, s, "key-1")

		time.Sleep(5 * time.Minute)
		go func() { _, _ = s.Current(t.Context()) }()
		synctest.Wait()
		ended, cancelNow := context.WithCancel(t.Context())
		cancelNow()
		if err := s.Refresh(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("refresh while another reads: %v", err)
		}
		if key, err := s.Current(ended); err != nil || key != "key-1" {
			t.Errorf("the key at hand: %q, %v", key, err)
		}
		time.Sleep(2 * time.Second)
	})
}

func TestNewRefusesWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := keys.New(nil, secretID, time.Now); err == nil {
		t.Error("no client: no error")
	}
	if _, err := keys.New(&vault{}, "", time.Now); err == nil {
		t.Error("no secret: no error")
	}
	if _, err := keys.New(&vault{}, secretID, nil); err == nil {
		t.Error("no clock: no error")
	}
}

func TestSourceNeverPrintsAKey(t *testing.T) {
	t.Parallel()
	v := &vault{}
	v.set("key-2", "key-1")
	s := source(t, v)
	wantPair(t, s, "key-2", "key-1")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		if text := fmt.Sprintf(verb, s); text != "keys.Source" {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func Example() {
	secrets := &vault{values: map[string]string{"AWSCURRENT": "key-2", "AWSPREVIOUS": "key-1"}}
	source, err := keys.New(secrets, secretID, time.Now)
	if err != nil {
		fmt.Println(err)
		return
	}
	current, previous, err := source.Pair(context.Background())
	fmt.Println(current, previous, err)
	// Output: key-2 key-1 <nil>
}
