package binaries

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryFunctionIsBuilt(t *testing.T) {
	mains, err := filepath.Glob("../../functions/*/lambda/main.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, name := range FunctionNames() {
		known[name] = true
	}
	for _, path := range mains {
		if name := filepath.Base(filepath.Dir(filepath.Dir(path))); !known[name] {
			t.Errorf("functions/%s is not part of the stack", name)
		}
	}
	if len(mains) != len(known) {
		t.Errorf("there are %d functions, and the stack has %d", len(mains), len(known))
	}
}

// The design bounds a binary at 16 MB unzipped; it is what a cold start loads.
const binaryMax = 16 << 20

func TestBundlesAreSmallAndForTheProcessorAskedFor(t *testing.T) {
	for architecture, machine := range map[string]byte{"arm64": 0xB7, "x86_64": 0x3E} { // e_machine of ELF
		bundles, err := Functions(t.Context(), architecture)
		if err != nil {
			t.Fatal(err)
		}
		for name, dir := range bundles {
			binary, err := os.ReadFile(filepath.Join(dir, "bootstrap"))
			if err != nil {
				t.Fatal(err)
			}
			if len(binary) > binaryMax {
				t.Errorf("%s has %d bytes, want at most %d", name, len(binary), binaryMax)
			}
			if binary[18] != machine {
				t.Errorf("%s is built for machine %#x, want %#x", name, binary[18], machine)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 1 {
				t.Errorf("the bundle of %s holds %v, error %v, want bootstrap alone", name, entries, err)
			}
		}
	}
}

// The same source makes the same bytes in whatever folder it lies, read-only
// as in the module cache, and whatever else the user has set.
func TestBundlesAreReproducible(t *testing.T) {
	here, err := Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there := t.TempDir()
	copySource(t, here, there)
	makeReadOnly(t, there)
	var sums [2][32]byte
	for i, source := range []string{here, there} {
		if i == 1 {
			t.Setenv("GOFLAGS", "-tags=something")
			t.Setenv("GOARM64", "v9.0")
		}
		program := filepath.Join(t.TempDir(), "webhook", "bootstrap")
		if err := Build(t.Context(), source, Function("webhook", "arm64"), program); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(data)
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds of the same source differ: %x and %x", sums[0], sums[1])
	}
}

func TestBuildSaysWhatIsMissing(t *testing.T) {
	t.Run("no Go", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if _, err := Functions(t.Context(), "arm64"); !errors.Is(err, ErrNoGo) {
			t.Errorf("error %v, want ErrNoGo", err)
		}
	})
	t.Run("outside of a module", func(t *testing.T) {
		t.Chdir(t.TempDir())
		_, err := Functions(t.Context(), "arm64")
		if err == nil || !strings.Contains(err.Error(), "run CDK in a folder of the Go module that uses it") {
			t.Errorf("error %v, want one that says where to run", err)
		}
	})
	t.Run("code that does not compile", func(t *testing.T) {
		source := t.TempDir()
		write(t, filepath.Join(source, "go.mod"), "module example.com/broken\n\ngo 1.26\n")
		write(t, filepath.Join(source, "functions/poll/lambda/main.go"), "package main\n\nfunc main() { undefined() }\n")
		err := Build(t.Context(), source, Function("poll", "arm64"), filepath.Join(t.TempDir(), "poll", "bootstrap"))
		if err == nil || !strings.Contains(err.Error(), "compile functions/poll/lambda") || !strings.Contains(err.Error(), "main.go:3:15: undefined: undefined") {
			t.Errorf("error %v, want the compiler's", err)
		}
	})
}

// What a Lambda links costs start-up time; CDK would double the binary.
func TestNoFunctionLinksTestsOrCDK(t *testing.T) {
	for _, name := range FunctionNames() {
		out, err := run(exec.Command("go", "list", "-deps", "-tags", "lambda.norpc", "../../functions/"+name+"/lambda"))
		if err != nil {
			t.Fatal(err)
		}
		for dep := range strings.FieldsSeq(out) {
			for _, unwanted := range []string{
				"github.com/aws/aws-cdk-go", "github.com/aws/jsii-runtime-go", "github.com/aws/constructs-go", "net/rpc", "testing",
				"github.com/stretchr", "github.com/google/go-cmp", "pgregory.net/rapid", Module + "/infra", Module + "/shared/creativeai/fake",
			} {
				if dep == unwanted || strings.HasPrefix(dep, unwanted+"/") {
					t.Errorf("%s links %s", name, dep)
				}
			}
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// copySource copies what the functions are built from.
func copySource(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(to, name), string(data))
	}
	for _, name := range []string{"events", "shared", "functions"} {
		if err := os.CopyFS(filepath.Join(to, name), os.DirFS(filepath.Join(from, name))); err != nil {
			t.Fatal(err)
		}
	}
}

func makeReadOnly(t *testing.T, root string) {
	t.Helper()
	mode := func(files, dirs fs.FileMode) {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				return os.Chmod(path, dirs)
			}
			return os.Chmod(path, files)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	mode(0o444, 0o755)
	t.Cleanup(func() { mode(0o644, 0o755) })
}
