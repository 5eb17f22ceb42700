package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"maps"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/licensecheck"

	"github.com/clipqueue/clipqueue/infra/binaries"
)

// billOfMaterials writes what the programs are made of, as the compiler noted
// it in them. It has neither a serial number nor a time, which would differ
// from build to build.
func (b *builder) billOfMaterials(ctx context.Context) error {
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Lifecycles: &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhaseBuild}},
		Component: &cdx.Component{
			BOMRef: binaries.Module, Type: cdx.ComponentTypeApplication, Name: "clipqueue", Version: b.label,
			PackageURL: moduleURL(binaries.Module, "v"+b.label), Licenses: licenses("Apache-2.0"),
		},
	}
	var programs []cdx.Component
	var dependencies []cdx.Dependency
	linked := map[string]*debug.Module{}
	for _, a := range b.built {
		info, err := buildinfo.ReadFile(b.compiled(a))
		if err != nil {
			return fmt.Errorf("read what %s is made of: %w", a.file, err)
		}
		sum, err := checksum(filepath.Join(b.out, a.file))
		if err != nil {
			return err
		}
		programs = append(programs, cdx.Component{
			BOMRef: a.file, Type: cdx.ComponentTypeApplication, Name: a.file, Version: b.label,
			Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}}, Licenses: licenses("Apache-2.0"),
		})
		var needs []string
		for _, m := range append(info.Deps, &debug.Module{Path: stdlib, Version: strings.TrimPrefix(info.GoVersion, "go")}) {
			linked[moduleURL(m.Path, m.Version)] = m
			needs = append(needs, moduleURL(m.Path, m.Version))
		}
		dependencies = append(dependencies, cdx.Dependency{Ref: a.file, Dependencies: &needs})
	}
	libraries, err := b.libraries(ctx, linked)
	if err != nil {
		return err
	}
	bom.Components, bom.Dependencies = new(append(programs, libraries...)), &dependencies
	var out bytes.Buffer
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return fmt.Errorf("write the bill of materials: %w", err)
	}
	return write(filepath.Join(b.out, "clipqueue_"+b.label+"_sbom.cdx.json"), out.Bytes())
}

// libraries describes modules, given by the URL that names them, with the
// licences that lie beside their source.
func (b *builder) libraries(ctx context.Context, linked map[string]*debug.Module) ([]cdx.Component, error) {
	var modules []string
	for _, m := range linked {
		modules = append(modules, m.Path)
	}
	dirs, err := b.sources(ctx, modules)
	if err != nil {
		return nil, err
	}
	found := map[string]*cdx.Licenses{}
	for path, dir := range dirs {
		if found[path], err = licensesIn(dir); err != nil {
			return nil, fmt.Errorf("read the licence of %s: %w", path, err)
		}
	}
	var all []cdx.Component
	for _, url := range slices.Sorted(maps.Keys(linked)) {
		m := linked[url]
		all = append(all, cdx.Component{
			BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: url, Licenses: found[m.Path],
		})
	}
	return all, nil
}

// moduleURL is the package URL of a Go module.
func moduleURL(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// licensesIn tells the licences of a folder's licence files by their text.
func licensesIn(dir string) (*cdx.Licenses, error) {
	texts, err := legalFiles(dir, "LICENSE", "LICENCE", "COPYING")
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, text := range texts {
		for _, match := range licensecheck.Scan([]byte(text)).Match {
			ids[match.ID] = true
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("there is none that is known in %s", dir)
	}
	return licenses(slices.Sorted(maps.Keys(ids))...), nil
}

// licenses are given by their SPDX identifiers.
func licenses(ids ...string) *cdx.Licenses {
	var out cdx.Licenses
	for _, id := range ids {
		out = append(out, cdx.LicenseChoice{License: &cdx.License{ID: id}})
	}
	return &out
}
