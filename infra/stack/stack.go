package stack

import (
	"errors"
	"runtime"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/infra/version"
)

// Synth reads the settings from the app's context, puts the bundle in a stack
// of its own, and writes the cloud assembly. It is all that a CDK app with
// nothing else in it has to do.
func Synth(app awscdk.App) error {
	defer jsii.Close()
	context, ok := app.Node().GetAllContext(nil).(map[string]any)
	if !ok {
		return errors.New("clipqueue: CDK gave no context to read settings from")
	}
	settings, err := ParseSettings(context)
	if err != nil {
		return err
	}
	d, err := newDeployment(&settings)
	if err != nil {
		return err
	}
	newStack(app, d)
	app.Synth(nil)
	return nil
}

// newStack is the bundle in a stack named after the stage, with its outputs.
func newStack(app awscdk.App, d *Deployment) awscdk.Stack {
	props := &awscdk.StackProps{Description: jsii.String("Clipqueue " + version.Version + ": prompts in on a queue, finished videos out as events")}
	if d.Settings.Local {
		// The engine refuses the bootstrap roles; the resources stay the same.
		props.Synthesizer = awscdk.NewCliCredentialsStackSynthesizer(nil)
	}
	stack := awscdk.NewStack(app, jsii.String("Clipqueue-"+d.Settings.Stage), props)
	newClipqueue(stack, "Clipqueue", d).AddOutputs(stack)
	return stack
}

// hostArchitecture is what the local engine runs.
func hostArchitecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return "arm64"
}
