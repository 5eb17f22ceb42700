package prompts_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clipqueue/clipqueue/infra/clipqueue/prompts"
	"github.com/clipqueue/clipqueue/shared/request"
)

// read gives the rows, and what was said of the others.
func read(t *testing.T, text string) (rows []prompts.Row, problems []string) {
	t.Helper()
	for row, err := range prompts.Read(strings.NewReader(text), prompts.DefaultBatch, nil) {
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		rows = append(rows, row)
	}
	return rows, problems
}

func bodies(rows []prompts.Row) []string {
	var list []string
	for _, r := range rows {
		list = append(list, r.Body)
	}
	return list
}

func TestReadJSONLines(t *testing.T) {
	t.Parallel()
	rows, problems := read(t, "\uFEFF\n{\"job_id\":\"a\",\"prompt\":\"a kite\"}\r\n\n {\"prompt\":\"a fox\",\"seed\":7} ")
	if len(problems) > 0 || len(rows) != 2 {
		t.Fatalf("%d rows, problems: %q", len(rows), problems)
	}
	if rows[0].JobID != "a" || rows[0].Body != `{"job_id":"a","prompt":"a kite"}` || rows[0].Line != 2 {
		t.Errorf("%+v", rows[0])
	}
	if want := `{"job_id":"` + rows[1].JobID + `","prompt":"a fox","seed":7}`; rows[1].Body != want || rows[1].Line != 4 {
		t.Errorf("%+v, want the body %s", rows[1], want)
	}
}

func TestReadCSV(t *testing.T) {
	t.Parallel()
	rows, problems := read(t, "\uFEFF"+`job_id, prompt,duration,failover,model,metadata.order,metadata.who,seed,style
a-1,"a kite, red",5,true,1,007,"O""Neil",42,noir
a-2,"two
lines",,,,,,, 
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []string{
		`{"duration":5,"failover":true,"job_id":"a-1","metadata":{"order":"007","who":"O\"Neil"},"model":"1","prompt":"a kite, red","seed":42,"style":"noir"}`,
		`{"job_id":"a-2","prompt":"two\nlines"}`,
	}
	if diff := cmp.Diff(want, bodies(rows)); diff != "" {
		t.Error(diff)
	}
	if rows[1].Line != 3 {
		t.Errorf("line %d, want 3", rows[1].Line)
	}
}

func TestReadCSVWholeMetadata(t *testing.T) {
	t.Parallel()
	rows, problems := read(t, "prompt,metadata,job_id\na kite,\"{\"\"order\"\":7}\",a-1\n")
	if diff := cmp.Diff([]string{`{"job_id":"a-1","metadata":{"order":7},"prompt":"a kite"}`}, bodies(rows)); diff != "" || len(problems) > 0 {
		t.Error(diff, problems)
	}
}

// TestProblems: each says where and what to do, and the other rows are read all the same.
func TestProblems(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		rows int
		want []string
	}{
		"empty":               {" \n", 0, []string{"there is nothing in it"}},
		"array":               {`[{"prompt":"a"}]`, 0, []string{"jq -c"}},
		"no JSON":             {"{\"prompt\":\"a\"}\nfox\n{\"prompt\":\"b\"}", 2, []string{"line 2: not valid JSON"}},
		"wrong type":          {`{"prompt":"a","duration":"5s"}`, 0, []string{`line 1 ("a"): duration is "5s", a string`}},
		"webhook_url":         {`{"prompt":"a","webhook_url":"https://x"}`, 0, []string{`line 1 ("a"): webhook_url is ours`}},
		"id twice":            {"{\"job_id\":\"a\",\"prompt\":\"a\"}\n{\"job_id\":\"a\",\"prompt\":\"b\"}", 1, []string{`line 2 ("b", job_id a): job_id a is that of line 1`}},
		"id twice, the same":  {"{\"job_id\":\"a\",\"prompt\":\"a\"}\n{\"prompt\":\"a\",\"job_id\":\"a\"}", 2, nil},
		"no prompt column":    {"text\na\n", 0, []string{`no column is called "prompt"`}},
		"a misspelt prompt":   {"promt,model\na,\n", 0, []string{`is it "promt"?`}},
		"case of a column":    {"prompt,Model\na,auto\n", 0, []string{`column "Model": names are case-sensitive: write model`}},
		"a column of ours":    {"prompt,webhook_url\na,https://x\n", 0, []string{`column "webhook_url" is ours to set`}},
		"column twice":        {"prompt,prompt\na,b\n", 0, []string{`two columns are called "prompt"`}},
		"a column like ours":  {"prompt,aspectratio\na,7\n", 0, []string{`column "aspectratio" looks like aspect_ratio: nothing was sent`}},
		"a misspelt column":   {"prompt,durration\na,7\n", 0, []string{`column "durration" looks like duration`}},
		"like metadata":       {"prompt,metadata_sku\na,7\n", 0, []string{`column "metadata_sku" looks like metadata.sku`}},
		"nameless column":     {"prompt,\na,b\n", 0, []string{"column 2 has no name"}},
		"two ways":            {"prompt,metadata,metadata.a\na,,\n", 0, []string{"use one of the two ways"}},
		"too few cells":       {"prompt,model\nb\na,auto\n", 1, []string{`line 2 ("b"): it has 1 cells where the header has 2`}},
		"blank prompt":        {"prompt,model\n ,auto\n", 0, []string{"line 2: prompt is missing"}},
		"duration of a CSV":   {"prompt,duration\na,5s\n", 0, []string{`line 2 ("a"): duration is "5s", a string`}},
		"not UTF-8":           {"prompt\n\xff\xfe\n", 0, []string{`line 2 ("\xff\xfe"): prompt`}},
		"a quote that is off": {"prompt\n\"a\"b\n", 0, []string{"line 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, problems := read(t, tc.text)
			if len(rows) != tc.rows || len(problems) != len(tc.want) {
				t.Fatalf("%d rows and %q, want %d and %q", len(rows), problems, tc.rows, tc.want)
			}
			for i, want := range tc.want {
				if !strings.Contains(problems[i], want) {
					t.Errorf("%q, want %q in it", problems[i], want)
				}
			}
		})
	}
}

// TestRemarks: what can be sent, and may not be meant.
func TestRemarks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"nothing":         {"job_id,prompt,metadata.sku,metadata.Prompt\na,A,7,x\nb,A,8,x\n", nil},
		"a column":        {"prompt,sku\nA,7\n", []string{`column "sku" is none of ours and goes to the vendor as it is: for metadata write metadata.sku`}},
		"white space":     {"prompt\nA\n\" A\"\n", []string{`line 3 ("A"): the prompt begins or ends with white space, which makes it another job`}},
		"the same twice":  {"prompt\nA\nB\nA\n", []string{`line 4 ("A"): the same as line 2, and a job of its own`}},
		"the same job_id": {"{\"job_id\":\"a\",\"prompt\":\"A\"}\n{\"prompt\":\"A\",\"job_id\":\"a\"}", []string{`line 2 ("A", job_id a): line 1 again, its job_id too: it is one job`}},
		"a long prompt, thrice": {"prompt\n" + strings.Repeat(strings.Repeat("word ", 20)+"\n", 3), []string{
			`line 2 ("word word word word word word word word…"): the prompt begins or ends`,
			`line 3 ("word word word word word word word word…"): the same as line 2`, `line 3`, `line 4 ("word word word word word word word word…"): the same as line 2`, `line 4`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var remarks []string
			for _, err := range prompts.Read(strings.NewReader(tc.text), "b", func(remark string) { remarks = append(remarks, remark) }) {
				if err != nil {
					t.Error(err)
				}
			}
			if len(remarks) != len(tc.want) {
				t.Fatalf("%q, want %q", remarks, tc.want)
			}
			for i, want := range tc.want {
				if !strings.Contains(remarks[i], want) {
					t.Errorf("%q, want %q in it", remarks[i], want)
				}
			}
		})
	}
}

func TestALongLine(t *testing.T) {
	t.Parallel()
	_, problems := read(t, `{"prompt":"`+strings.Repeat("a", 2<<20)+`"}`)
	if len(problems) != 1 || !strings.Contains(problems[0], "line 1 is longer than 1 MB") {
		t.Errorf("%q", problems)
	}
}

// TestDerivedIDs: a file sent again makes nothing new; the same prompt twice in it makes two.
func TestDerivedIDs(t *testing.T) {
	t.Parallel()
	file := "{\"prompt\":\"a kite\",\"model\":\"m\"}\n{\"prompt\":\"a fox\"}\n{\"model\":\"m\", \"prompt\":\"a kite\"}\n"
	first, _ := read(t, file)
	again, _ := read(t, file)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("read again:\n%s", diff)
	}
	grown, _ := read(t, `{"prompt":"a new one"}`+"\n"+file)
	ids := map[string]bool{}
	for i, row := range grown {
		if ids[row.JobID] {
			t.Errorf("the id %s twice", row.JobID)
		}
		ids[row.JobID] = true
		if i > 0 && row.JobID != first[i-1].JobID {
			t.Errorf("with a line before it %s has become %s", first[i-1].JobID, row.JobID)
		}
		if _, err := request.Parse([]byte(row.Body), ""); err != nil {
			t.Errorf("the message of %s: %v", row.JobID, err)
		}
	}
	for row, err := range prompts.Read(strings.NewReader(file), strings.Repeat("b", prompts.MaxBatch), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if ids[row.JobID] || len(row.JobID) != 64 {
			t.Errorf("of another batch: %s", row.JobID)
		}
	}
}

// errDisk is a file that cannot be read on.
var errDisk = errors.New("disk on fire")

type brokenReader struct{ first *strings.Reader }

func (b brokenReader) Read(p []byte) (int, error) {
	if b.first.Len() > 0 {
		return b.first.Read(p)
	}
	return 0, errDisk
}

func TestAReadError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{\"prompt\":\"a\"}\n", "prompt\na\n"} {
		var last error
		n := 0
		for _, err := range prompts.Read(brokenReader{strings.NewReader(text)}, "b", nil) {
			last = err
			n++
		}
		if !errors.Is(last, errDisk) || n > 2 {
			t.Errorf("%q: after %d: %v", text, n, last)
		}
	}
}

func TestTenThousandRows(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("prompt,metadata.n\n")
	for i := range 10_000 {
		fmt.Fprintf(&file, "a kite,%d\n", i%5000)
	}
	rows, problems := read(t, file.String())
	ids := map[string]bool{}
	for _, r := range rows {
		ids[r.JobID] = true
	}
	if len(problems) > 0 || len(ids) != 10_000 {
		t.Errorf("%d ids, problems: %v", len(ids), problems)
	}
}
