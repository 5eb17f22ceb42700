package local

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/clipqueue/clipqueue/infra/clipqueue/loopback"
)

// AccessKey and SecretKey are the engine's administrator.
const (
	AccessKey = "test"
	SecretKey = "test"
)

// clientConfig points SDK clients at the engine and at nothing of the user's.
func clientConfig(endpoint string) aws.Config {
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
		HTTPClient:   HTTPClient(),
	}
}

// HTTPClient reaches the engine, its HTTP APIs included.
func HTTPClient() *http.Client {
	transport := loopback.Transport()
	transport.MaxIdleConnsPerHost = 32
	return &http.Client{Transport: transport}
}
