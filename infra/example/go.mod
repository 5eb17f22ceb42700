module example.com/videos

go 1.26.0

require (
	github.com/aws/aws-cdk-go/awscdk/v2 v2.275.0
	github.com/aws/jsii-runtime-go v1.142.0
	github.com/clipqueue/clipqueue v0.1.0
)

// In an app of your own, leave this out.
replace github.com/clipqueue/clipqueue => ../..
