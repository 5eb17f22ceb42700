package local

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
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

// HTTPClient reaches the engine's HTTP APIs, whose names end in ".localhost":
// not every machine's resolver knows that they mean loopback.
func HTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConnsPerHost = 32
	dialer := new(net.Dialer)
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err == nil && strings.HasSuffix(host, ".localhost") {
			address = net.JoinHostPort("127.0.0.1", port)
		}
		return dialer.DialContext(ctx, network, address)
	}
	return &http.Client{Transport: transport}
}

// putAPIKey gives the stack's secret its value, as a user does after the first
// deployment.
func (b *Bundle) putAPIKey(ctx context.Context) error {
	_, err := secretsmanager.NewFromConfig(b.AWS).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId:     aws.String(b.Outputs.APIKeySecretARN),
		SecretString: aws.String(b.APIKey),
	})
	if err != nil {
		return fmt.Errorf("put the API key into the stack's secret: %w", err)
	}
	return nil
}
