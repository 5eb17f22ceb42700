package fake_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-json-experiment/json"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

func TestControlSurface(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		id := b.accept("A dog [fault: never]")
		steps := []struct {
			method, path, body string
			status             int
			want               string
		}{
			{"GET", "ledger", "", 200, `"paid_twice":{}`},
			{"GET", "ledger", "", 200, `"credits":50`},
			{"GET", "generations", "", 200, `"status":"queued"`},
			{"GET", "generations/" + id, "", 200, `"prompt":"A dog [fault: never]"`},
			{"GET", "generations/gen_other", "", 404, "no generation gen_other"},
			{"POST", "callbacks/" + id, "", 404, "no callback to send"},
			{"POST", "callbacks/" + id, `{"status":"failed","signature":"none"}`, 200, `"answer":200`},
			{"POST", "callbacks/" + id, `{"signature":"nonsense"}`, 400, "nonsense"},
			{"POST", "callbacks/" + id, `{"sign":"none"}`, 400, "sign"},
			{"POST", "generations/" + id + "/finish", "", 200, `"status":"completed"`},
			{"POST", "generations/" + id + "/finish", "", 409, "not_running"},
			{"POST", "faults", `{"faults":["429 times=1","get-500"]}`, 200, `"fault":"get-500"`},
			{"POST", "faults", `{"faults":["nonsense"]}`, 400, "nonsense"},
			{"POST", "faults", `{"faults":`, 400, "invalid_json"},
			{"GET", "faults", "", 200, `"fired":0`},
			{"DELETE", "faults", "", 200, `[]`},
			{"POST", "keys", `{"current":"new-secret","previous":"` + key + `"}`, 200, `{}`},
			{"POST", "keys", `{"previous":"x"}`, 400, "current is missing"},
			{"GET", "directives", "", 200, `"name":"callback-forged"`},
			{"GET", "nonsense", "", 404, ""},
		}
		for _, s := range steps {
			a := b.do(t.Context(), s.method, "/_fake/"+s.path, s.body)
			if a.status != s.status || !strings.Contains(string(a.body), s.want) {
				t.Errorf("%s %s: %d %s, want %d %s", s.method, s.path, a.status, a.body, s.status, s.want)
			}
			if strings.Contains(string(a.body), "new-secret") || strings.Contains(string(a.body), key) {
				t.Errorf("%s %s tells a key: %s", s.method, s.path, a.body)
			}
			synctest.Wait()
		}
		b.accept("A cat") // by what is the previous key now
		if got := b.receiver.all(); len(got) != 2 || got[1].field(t, "status") != "completed" {
			t.Errorf("%d callbacks: one resent unsigned, one of the end", len(got))
		}
	})
}

func TestLedgerOverHTTPIsThatOfGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.vendor.Finish(b.accept("A dog"))
		synctest.Wait()
		want := b.vendor.Ledger()
		var got fake.Ledger
		if err := json.Unmarshal(b.do(t.Context(), http.MethodGet, "/_fake/ledger", "").body, &got); err != nil {
			t.Fatal(err)
		}
		wantText, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		gotText, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if string(gotText) != string(wantText) || len(got.Attempts) != 1 {
			t.Errorf("got\n%s\nwant\n%s", gotText, wantText)
		}
	})
}
