package job_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/job/jobtest"
)

// TestTableIsWhole fails when a state, a stage or a fact is added and the table is not.
func TestTableIsWhole(t *testing.T) {
	t.Parallel()
	rules := job.DefaultRules()
	states, stages := map[job.State]bool{}, map[string]bool{}
	for _, c := range columns() {
		states[jobtest.At(t, rules, "job-1", c.stage).State], stages[c.stage] = true, true
	}
	for _, s := range job.States() {
		if !states[s] {
			t.Errorf("no column has a job that is %s", s)
		}
	}
	for _, s := range jobtest.Stages(t, rules, "job-1") {
		if !stages[s.Name] {
			t.Errorf("no column for the stage %q", s.Name)
		}
	}
	facts, table := map[reflect.Type]bool{}, parse(t)
	for _, row := range rows() {
		facts[reflect.TypeOf(row.fact(job.Job{}))] = true
		if len(table[row.name]) != len(columns()) {
			t.Errorf("%q has %d outcomes for %d columns", row.name, len(table[row.name]), len(columns()))
		}
	}
	if len(table) != len(rows()) {
		t.Errorf("%d lines of outcomes for %d facts", len(table), len(rows()))
	}
	for _, f := range job.Facts() {
		if !facts[reflect.TypeOf(f)] {
			t.Errorf("no row has a %T", f)
		}
	}
}

// TestListsAreWhole holds States and Facts against the source: whoever adds a
// state or a fact and forgets the list would not be told by the table.
func TestListsAreWhole(t *testing.T) {
	t.Parallel()
	states, facts := declared(t)
	if len(states) != len(job.States()) {
		t.Errorf("the source declares the states %v, States lists %v", states, job.States())
	}
	listed := map[string]bool{}
	for _, f := range job.Facts() {
		listed[reflect.TypeOf(f).Name()] = true
	}
	for _, f := range facts {
		if !listed[f] {
			t.Errorf("Facts lacks %s", f)
		}
	}
	if len(facts) != len(job.Facts()) {
		t.Errorf("the source declares the facts %v, Facts lists %d", facts, len(job.Facts()))
	}
}

// declared are the constants of type State and the types with a method fact.
func declared(t *testing.T) (states, facts []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for n := range ast.Preorder(file) {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if kind, ok := n.Type.(*ast.Ident); ok && kind.Name == "State" && len(n.Values) > 0 {
					states = append(states, n.Names[0].Name)
				}
			case *ast.FuncDecl:
				if n.Name.Name == "fact" && n.Recv != nil {
					facts = append(facts, n.Recv.List[0].Type.(*ast.Ident).Name)
				}
			}
		}
	}
	return states, facts
}
