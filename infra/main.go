// Command infra is the CDK app: the bundle, in a stack of its own.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/clipqueue/clipqueue/infra/stack"
)

func main() {
	if err := stack.Synth(awscdk.NewApp(nil)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
