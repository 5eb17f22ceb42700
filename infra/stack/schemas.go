package stack

import (
	"bytes"
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2/awseventschemas"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/clipqueue/clipqueue/events"
	"github.com/clipqueue/clipqueue/events/registry"
)

// SchemaRegistry is an EventBridge schema registry with the schemas of all
// events, from which the console and the toolkits make types for Go, Java,
// Python and TypeScript.
type SchemaRegistry struct {
	constructs.Construct

	Registry awseventschemas.CfnRegistry
}

// NewSchemaRegistry makes the registry and fills it.
func NewSchemaRegistry(scope constructs.Construct, id string) *SchemaRegistry {
	this := constructs.NewConstruct(scope, jsii.String(id))
	r := awseventschemas.NewCfnRegistry(this, jsii.String("Registry"), &awseventschemas.CfnRegistryProps{
		RegistryName: jsii.String(uniqueName(this, 64)),
		Description:  jsii.String("Clipqueue: the events of the video bus"),
	})
	for _, kind := range events.DetailTypes() {
		name := registry.Name(kind)
		awseventschemas.NewCfnSchema(this, jsii.String(name), &awseventschemas.CfnSchemaProps{
			RegistryName: r.AttrRegistryName(), // the schemas wait for the registry
			SchemaName:   jsii.String(name),
			Type:         jsii.String("OpenApi3"),
			Description:  jsii.String("Clipqueue: " + string(kind) + ", version " + events.SchemaVersion),
			Content:      jsii.String(compactDocument(kind)),
		})
	}
	return &SchemaRegistry{Construct: this, Registry: r}
}

// compactDocument spares the template its white space.
func compactDocument(kind events.DetailType) string {
	text, err := registry.Document(kind)
	if err != nil {
		panic(err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		panic(err)
	}
	return out.String()
}
