package events_test

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/clipqueue/clipqueue/events"
)

// A producer encodes a Request and sends it as the body of an SQS message.
func ExampleRequest() {
	body, err := json.Marshal(events.Request{
		JobID:    "order-1042-clip-1",
		Prompt:   "A red kite rises over the dunes at dawn",
		Duration: 5,
		Metadata: json.RawMessage(`{"order":1042}`),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(body))
	// Output:
	// {"job_id":"order-1042-clip-1","prompt":"A red kite rises over the dunes at dawn","duration":5,"metadata":{"order":1042}}
}

// A consumer of one detail type takes an Envelope of its data: here from a
// file, in a Lambda function as its argument.
func ExampleEnvelope() {
	body, err := os.ReadFile("testdata/video-generation-completed.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	var event events.Envelope[events.Completed]
	if err := json.Unmarshal(body, &event); err != nil {
		fmt.Println(err)
		return
	}
	video := event.Detail.Data
	fmt.Println(event.Detail.Metadata.JobID, "costs", *video.Credits)
	fmt.Println(*video.OutputURL)
	var own struct {
		Customer string `json:"customer"`
	}
	if err := json.Unmarshal(video.Metadata, &own); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("for customer", own.Customer)
	// Output:
	// order-1042-clip-1 costs 12
	// https://cdn.example.com/videos/gen_7f3a9c21.mp4?expires=1795727218
	// for customer c-7
}

// A consumer of several detail types leaves the data for later.
func ExampleEnvelope_several() {
	for _, name := range []string{"completed", "failed", "rejected"} {
		body, err := os.ReadFile("testdata/video-generation-" + name + ".json")
		if err != nil {
			fmt.Println(err)
			return
		}
		var event events.Envelope[json.RawMessage]
		if err := json.Unmarshal(body, &event); err != nil {
			fmt.Println(err)
			return
		}
		if event.DetailType != events.TypeFailed {
			fmt.Println(event.DetailType)
			continue
		}
		var failed events.Failed
		if err := json.Unmarshal(event.Detail.Data, &failed); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("failed:", failed.ErrorMessage)
	}
	// Output:
	// Video Generation Completed
	// failed: the prompt was blocked by the provider's content filter
	// Video Generation Rejected
}
