package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// entry is a file in a zip file.
type entry struct {
	name, path string
	mode       fs.FileMode
}

// zipped is the time of every entry: the first that a zip file can say.
func zipped() time.Time { return time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC) }

// writeZip makes a zip file that depends on nothing but the entries, their
// order and their content.
func writeZip(path string, entries []entry) error {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		data, err := os.ReadFile(e.path)
		if err != nil {
			return fmt.Errorf("zip %s: %w", e.name, err)
		}
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: zipped()}
		header.SetMode(e.mode)
		f, err := w.CreateHeader(header)
		if err != nil {
			return fmt.Errorf("zip %s: %w", e.name, err)
		}
		if _, err := f.Write(data); err != nil {
			return fmt.Errorf("zip %s: %w", e.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("zip %s: %w", filepath.Base(path), err)
	}
	return write(path, out.Bytes())
}

// sumsFile has the checksum of every other file of the release, as sha256sum
// reads it.
const sumsFile = "SHA256SUMS"

func writeSums(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list the release: %w", err)
	}
	var out strings.Builder
	for _, f := range files {
		sum, err := checksum(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s  %s\n", sum, f.Name())
	}
	return write(filepath.Join(dir, sumsFile), []byte(out.String()))
}

// checksum is the SHA-256 of a file in hexadecimal.
func checksum(path string) (string, error) {
	data, err := os.ReadFile(path) //nolint:gosec // a file of the release
	if err != nil {
		return "", fmt.Errorf("take the checksum of %s: %w", filepath.Base(path), err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data)), nil
}
