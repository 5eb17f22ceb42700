package main

import (
	"archive/zip"
	"debug/buildinfo"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/clipqueue/clipqueue/infra/binaries"
)

// testBuilder builds into a new folder, in another new folder.
func testBuilder(t *testing.T) *builder {
	t.Helper()
	source, err := binaries.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &builder{source: source, scratch: t.TempDir(), out: t.TempDir(), label: "1.2.3"}
}

// small is a part of a release, so that a test takes seconds.
func small(t *testing.T) []artifact {
	t.Helper()
	all := artifacts("1.2.3")
	i := slices.IndexFunc(all, func(a artifact) bool { return a.file == "clipqueue-webhook_1.2.3_arm64.zip" })
	if i < 0 {
		t.Fatal("the release has no webhook function for arm64")
	}
	return all[i : i+1]
}

func TestWhatAReleaseHolds(t *testing.T) {
	var files []string
	for _, a := range artifacts("1.2.3") {
		files = append(files, a.file+" "+a.program)
	}
	var want []string
	for _, architecture := range []string{"arm64", "x86_64"} {
		for _, name := range binaries.FunctionNames() {
			want = append(want, "clipqueue-"+name+"_1.2.3_"+architecture+".zip bootstrap")
		}
	}
	want = append(want,
		"clipqueue_1.2.3_linux_amd64.zip clipqueue", "clipqueue_1.2.3_linux_arm64.zip clipqueue",
		"clipqueue_1.2.3_darwin_amd64.zip clipqueue", "clipqueue_1.2.3_darwin_arm64.zip clipqueue",
		"clipqueue_1.2.3_windows_amd64.zip clipqueue.exe", "clipqueue_1.2.3_windows_arm64.zip clipqueue.exe")
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files of a release (-want +got):\n%s", diff)
	}
}

// Two builds in two folders are the same to the byte, the bill of materials
// and the checksums included. That the folder of the source does not matter
// either is tested where the compiler is called.
func TestReleaseIsReproducible(t *testing.T) {
	var sums [2]string
	for i := range sums {
		b := testBuilder(t)
		if err := b.programs(t.Context(), small(t)); err != nil {
			t.Fatal(err)
		}
		if err := b.billOfMaterials(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := writeSums(b.out); err != nil {
			t.Fatal(err)
		}
		sums[i] = read(t, filepath.Join(b.out, sumsFile))
		if i == 0 {
			checkLicences(t, b)
			checkBillOfMaterials(t, b)
			checkSums(t, b.out)
		}
	}
	if sums[0] != sums[1] || strings.Count(sums[0], "\n") != 2 {
		t.Errorf("checksums of two builds:\n%s\n%s", sums[0], sums[1])
	}
}

// checkLicences holds a zip file to what it must bring along: this project's
// licence, and the terms of each module that the compiler linked, and of Go.
func checkLicences(t *testing.T, b *builder) {
	t.Helper()
	program := small(t)[0]
	r, err := zip.OpenReader(filepath.Join(b.out, program.file))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // it was only read
	content := func(name string) string {
		f, err := r.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if content(ownLicence) != read(t, filepath.Join(b.source, ownLicence)) {
		t.Errorf("the %s in %s is not this project's", ownLicence, program.file)
	}
	terms := content(thirdParty)
	want := []string{"\nstdlib\n", "Copyright 2009 The Go Authors.", "Apache License", "AWS SDK for Go\nCopyright 2015 Amazon.com"}
	info, err := buildinfo.ReadFile(b.compiled(program))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range info.Deps {
		want = append(want, "\n"+m.Path+"\n")
	}
	for _, text := range want {
		if !strings.Contains(terms, text) {
			t.Errorf("%s does not have %q", thirdParty, text)
		}
	}
	if n := strings.Count(terms, "TERMS AND CONDITIONS FOR USE, REPRODUCTION"); n > 3 {
		t.Errorf("%s has the Apache licence %d times", thirdParty, n)
	}
}

// A folder without a licence stops the release, by its name.
func TestModuleWithoutALicence(t *testing.T) {
	dir := t.TempDir()
	if _, err := legalFiles(dir, "LICENSE", "NOTICE"); err == nil || !strings.Contains(err.Error(), dir+" has no file whose name begins with LICENSE or NOTICE") {
		t.Errorf("error %v", err)
	}
}

// checkSums has the tool that users run read the checksums, and notice a
// changed file.
func checkSums(t *testing.T, dir string) {
	t.Helper()
	check := func() ([]byte, error) {
		args := []string{"sha256sum", "-c", sumsFile}
		if _, err := exec.LookPath(args[0]); err != nil {
			args = []string{"shasum", "-a", "256", "-c", sumsFile} // macOS has this one
		}
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		return cmd.CombinedOutput()
	}
	if out, err := check(); err != nil {
		t.Errorf("the checksums do not hold: %v\n%s", err, out)
	}
	path := filepath.Join(dir, "clipqueue-webhook_1.2.3_arm64.zip")
	if err := os.WriteFile(path, []byte(read(t, path)+"x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := check(); err == nil {
		t.Errorf("a changed file is not noticed:\n%s", out)
	}
}

// Lambda runs bootstrap at the top of a zip file, and it must be executable.
// How the files lie on this machine must not matter.
func TestZip(t *testing.T) {
	var zips [2]string
	for i, mode := range []os.FileMode{0o600, 0o777} {
		dir := t.TempDir()
		program, licence := filepath.Join(dir, "program"), filepath.Join(dir, "licence")
		for _, path := range []string{program, licence} {
			if err := os.WriteFile(path, []byte(strings.Repeat(filepath.Base(path), 1000)), mode); err != nil {
				t.Fatal(err)
			}
		}
		out := filepath.Join(dir, "out.zip")
		if err := writeZip(out, []entry{{"bootstrap", program, 0o755}, {"LICENSE", licence, 0o644}}); err != nil {
			t.Fatal(err)
		}
		zips[i] = out
	}
	if read(t, zips[0]) != read(t, zips[1]) {
		t.Error("two zip files of the same content differ")
	}
	r, err := zip.OpenReader(zips[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // it was only read
	want := []struct {
		name, content string
		mode          os.FileMode
	}{{"bootstrap", "program", 0o755}, {"LICENSE", "licence", 0o644}}
	for i, f := range r.File {
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name != want[i].name || f.Mode() != want[i].mode || string(data) != strings.Repeat(want[i].content, 1000) {
			t.Errorf("entry %d is %s with mode %v and %d bytes, want %+v", i, f.Name, f.Mode(), len(data), want[i])
		}
		if !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) || f.Method != zip.Deflate {
			t.Errorf("%s is of %v, by method %d", f.Name, f.Modified, f.Method)
		}
	}
}

// checkBillOfMaterials holds the bill to CycloneDX's schema, and to what the
// compiler says of the program.
func checkBillOfMaterials(t *testing.T, b *builder) {
	t.Helper()
	text := read(t, filepath.Join(b.out, "clipqueue_1.2.3_sbom.cdx.json"))
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := officialSchema(t).Validate(parsed); err != nil {
		t.Errorf("the bill of materials is not as CycloneDX wants it: %v\n%s", err, text)
	}
	var bom struct {
		SerialNumber string `json:"serialNumber"`
		Metadata     struct {
			Timestamp string `json:"timestamp"`
		} `json:"metadata"`
		Components []struct {
			Name   string `json:"name"`
			PURL   string `json:"purl"`
			Hashes []struct {
				Content string `json:"content"`
			} `json:"hashes"`
		} `json:"components"`
		Dependencies []struct {
			Ref       string   `json:"ref"`
			DependsOn []string `json:"dependsOn"`
		} `json:"dependencies"`
	}
	if err := json.Unmarshal([]byte(text), &bom); err != nil {
		t.Fatal(err)
	}
	if bom.SerialNumber != "" || bom.Metadata.Timestamp != "" {
		t.Errorf("it differs from build to build: serial number %q, time %q", bom.SerialNumber, bom.Metadata.Timestamp)
	}
	program := small(t)[0]
	info, err := buildinfo.ReadFile(b.compiled(program))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range info.Deps {
		want = append(want, "pkg:golang/"+m.Path+"@"+m.Version)
	}
	want = append(want, "pkg:golang/stdlib@"+strings.TrimPrefix(info.GoVersion, "go"))
	if len(bom.Dependencies) != 1 || bom.Dependencies[0].Ref != program.file || !cmp.Equal(want, bom.Dependencies[0].DependsOn) {
		t.Errorf("dependencies %+v, want those of %s: %v", bom.Dependencies, program.file, want)
	}
	slices.Sort(want)
	var libraries []string
	for _, c := range bom.Components[1:] {
		libraries = append(libraries, c.PURL)
	}
	if diff := cmp.Diff(want, libraries); diff != "" {
		t.Errorf("libraries (-want +got):\n%s", diff)
	}
	sum, err := checksum(filepath.Join(b.out, program.file))
	if first := bom.Components[0]; err != nil || first.Name != program.file || len(first.Hashes) != 1 || first.Hashes[0].Content != sum {
		t.Errorf("the first component is %+v, error %v, want %s with the checksum %s", first, err, program.file, sum)
	}
}

// officialSchema is CycloneDX's own, which its Go library brings along.
func officialSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	for name, file := range map[string]string{
		"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(read(t, filepath.Join(strings.TrimSpace(string(dir)), "schema", file))))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource("http://cyclonedx.org/schema/"+name, parsed); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
