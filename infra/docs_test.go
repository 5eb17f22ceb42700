//go:build !race

// The papers are held to the code: what they name exists, what they list is
// complete, what they show works. The tables of settings and of make targets are
// made from the code:
//
//	go test ./infra -run TestDocs -update
package main_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of the README anew")

// top is the repository's top folder, as seen from this package.
const top = ".."

func papers() []string {
	return []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "infra/RUNBOOK.md"}
}

func read(tb testing.TB, path string) string {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(top, path))
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// section is what stands between <!-- name --> and <!-- /name -->.
func section(tb testing.TB, text, name string) string {
	tb.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	_, after, found := strings.Cut(text, begin)
	inside, _, closed := strings.Cut(after, end)
	if !found || !closed {
		tb.Fatalf("the README has no section between %q and %q", begin, end)
	}
	return inside
}

// rows are the cells of a Markdown table, without its head.
func rows(table string) [][]string {
	var out [][]string
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.ReplaceAll(line, `\|`, "\x00"), "|"), "|")
		for i := range cells {
			cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), "\x00", "|")
		}
		out = append(out, cells)
	}
	return out[min(2, len(out)):]
}

// firstCodes are the words in backquotes of each row's first cell.
func firstCodes(table string) []string {
	var out []string
	for _, row := range rows(table) {
		out = append(out, codes(row[0])...)
	}
	return out
}

func codes(text string) []string {
	var out []string
	for _, match := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		out = append(out, match[1])
	}
	return out
}

// sources walks over the repository's own files of one ending.
func sources(tb testing.TB, ending string, visit func(path, text string)) {
	tb.Helper()
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != top && (strings.HasPrefix(entry.Name(), ".") || slices.Contains([]string{"node_modules", "dist", "cdk.out"}, entry.Name())):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ending):
			return nil
		}
		data, err := os.ReadFile(path)
		visit(path, string(data))
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func TestDocsLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)
	for _, paper := range papers() {
		for _, match := range link.FindAllStringSubmatch(read(t, paper), -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(top, filepath.Dir(paper), match[1])); err != nil {
				t.Errorf("%s links to %s: %v", paper, match[1], err)
			}
		}
	}
}

func TestDocsPaths(t *testing.T) {
	t.Parallel()
	path := regexp.MustCompile(`^(\./)?(events|functions|infra|shared)(/[A-Za-z0-9_.-]+)*/?$`)
	for _, paper := range papers() {
		for _, code := range codes(read(t, paper)) {
			if !path.MatchString(code) {
				continue
			}
			if _, err := os.Stat(filepath.Join(top, code)); err != nil {
				t.Errorf("%s names %s: %v", paper, code, err)
			}
		}
	}
}

// Every test that the papers name exists, every numbered fault that has a test has a
// row, and every row names a test.
func TestDocsTests(t *testing.T) {
	t.Parallel()
	exists, faults := map[string]bool{}, map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w*)\(`)
	numbered := regexp.MustCompile(`^TestFault(\d\d)_`)
	sources(t, "_test.go", func(_, text string) {
		for _, match := range declared.FindAllStringSubmatch(text, -1) {
			exists[match[1]] = true
			if number := numbered.FindStringSubmatch(match[1]); number != nil {
				faults[strings.TrimPrefix(number[1], "0")] = true
			}
		}
	})
	named := regexp.MustCompile(`(-run )?\b((?:Test|Fuzz)[A-Z]\w*)`)
	for _, paper := range papers() {
		for _, match := range named.FindAllStringSubmatch(read(t, paper), -1) {
			isPattern := match[1] != ""
			if found := exists[match[2]] || isPattern && anyBegins(exists, match[2]); !found {
				t.Errorf("%s names %s, and there is no such test", paper, match[2])
			}
		}
	}
	for _, row := range rows(section(t, read(t, "README.md"), "faults")) {
		delete(faults, row[0])
		if len(row) != 6 || !named.MatchString(row[5]) || slices.Contains(row, "") {
			t.Errorf("fault %s: want six cells, none empty, the last with a test: %q", row[0], row)
		}
	}
	for number := range faults {
		t.Errorf("fault %s has a test, and no row in the README", number)
	}
}

// The flags of the tests' own that the papers use are defined.
func TestDocsFlags(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"race": true, "run": true, "count": true, "v": true}
	sources(t, "_test.go", func(_, text string) {
		for _, match := range regexp.MustCompile(`flag\.\w+\("([\w-]+)"`).FindAllStringSubmatch(text, -1) {
			known[match[1]] = true
		}
	})
	for _, paper := range papers() {
		for _, command := range regexp.MustCompile(`go test [^`+"`"+`\n]*`).FindAllString(read(t, paper), -1) {
			for _, match := range regexp.MustCompile(` -([\w-]+)`).FindAllStringSubmatch(command, -1) {
				if !known[match[1]] {
					t.Errorf("%s: %s: there is no flag -%s", paper, command, match[1])
				}
			}
		}
	}
}

func anyBegins(names map[string]bool, with string) bool {
	for name := range names {
		if strings.HasPrefix(name, with) {
			return true
		}
	}
	return false
}

func TestDocsAlarms(t *testing.T) {
	t.Parallel()
	source := read(t, "infra/stack/alarms.go")
	for _, match := range regexp.MustCompile("alarms? `(\\w+)`").FindAllStringSubmatch(read(t, "README.md"), -1) {
		if !strings.Contains(source, `"`+match[1]+`"`) {
			t.Errorf("there is no alarm %s", match[1])
		}
	}
}

// targets are the Makefile's, with what each says of itself.
func targets(tb testing.TB) (names []string, says map[string]string) {
	tb.Helper()
	says = map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^([a-z0-9-]+):.*## (.*)$`).FindAllStringSubmatch(read(tb, "Makefile"), -1) {
		names = append(names, match[1])
		says[match[1]] = match[2]
	}
	return names, says
}

func TestDocsTargets(t *testing.T) {
	names, says := targets(t)
	for _, paper := range papers() {
		for _, match := range regexp.MustCompile("(?m)(?:`|^)make ([a-z0-9-]+)").FindAllStringSubmatch(read(t, paper), -1) {
			if says[match[1]] == "" {
				t.Errorf("%s says make %s, and there is no such target", paper, match[1])
			}
		}
	}
	var table strings.Builder
	table.WriteString("| command | what it does |\n|---|---|\n")
	for _, name := range names {
		table.WriteString("| `make " + name + "` | " + says[name] + " |\n")
	}
	generated(t, "targets", table.String())
}

// generated holds a section of the README to what the code makes of it.
func generated(t *testing.T, name, want string) {
	t.Helper()
	readme := read(t, "README.md")
	got := section(t, readme, name)
	if got == want {
		return
	}
	if !*update {
		t.Errorf("the README's section %q is stale; run go test ./infra -run TestDocs -update (-code +README):\n%s", name, cmp.Diff(want, got))
		return
	}
	begin := "<!-- " + name + " -->\n"
	readme = strings.Replace(readme, begin+got, begin+want, 1)
	if err := os.WriteFile(filepath.Join(top, "README.md"), []byte(readme), 0o644); err != nil {
		t.Fatal(err)
	}
}
