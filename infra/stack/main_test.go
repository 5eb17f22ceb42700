//go:build !race

package stack

import (
	"os"
	"testing"

	"github.com/aws/jsii-runtime-go"
)

// jsii's kernel is one process for all tests, and does not run under the race
// detector.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}
