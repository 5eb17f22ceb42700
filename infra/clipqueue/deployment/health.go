package deployment

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/clipqueue/clipqueue/shared/creativeai"
)

// Alarm is one of the stack's alarms.
type Alarm struct {
	Name string
	// State is "OK", "ALARM" or "INSUFFICIENT_DATA".
	State string
	// Say is what it means and what to do.
	Say string
}

// alarmsAtOnce is what CloudWatch takes in one call.
const alarmsAtOnce = 100

// Alarms are the stack's alarms and how they stand.
func (d *Deployment) Alarms(ctx context.Context) ([]Alarm, error) {
	resources, err := d.resources()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range resources {
		if aws.ToString(r.ResourceType) == "AWS::CloudWatch::Alarm" {
			names = append(names, aws.ToString(r.PhysicalResourceId))
		}
	}
	var alarms []Alarm
	for batch := range slices.Chunk(names, alarmsAtOnce) {
		out, err := cloudwatch.NewFromConfig(d.aws).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: batch})
		if err != nil {
			return nil, fmt.Errorf("ask for the alarms: %w", err)
		}
		for _, a := range out.MetricAlarms {
			alarms = append(alarms, Alarm{Name: aws.ToString(a.AlarmName), State: string(a.StateValue), Say: aws.ToString(a.AlarmDescription)})
		}
	}
	return alarms, nil
}

// LogGroup is the log of a function, such as "Submit"; empty when there is none.
func (d *Deployment) LogGroup(_ context.Context, function string) (string, error) {
	resources, err := d.resources()
	return physicalID(resources, logGroupType, function+"Logs"), err
}

// probeFor is what the vendor gives a receiver.
const probeFor = 10 * time.Second

// ProbeWebhook posts a callback with a wrong signature, and returns the status
// that the webhook answers with: 401 when all is well. Nothing is stored.
func (d *Deployment) ProbeWebhook(ctx context.Context) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeFor)
	defer cancel()
	url := d.Outputs.WebhookURL + "/clipqueue-doctor/probe"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"probe":"clipqueue doctor"}`))
	if err != nil {
		return 0, fmt.Errorf("probe the webhook: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(creativeai.SignatureHeader, "sha256="+strings.Repeat("0", 64))
	res, err := d.web.Do(req)
	if err != nil {
		return 0, fmt.Errorf("probe the webhook: %w", err)
	}
	return res.StatusCode, res.Body.Close()
}
