package deployment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// The versions of the key that are in force: Secrets Manager's own names.
const (
	KeyCurrent  = "AWSCURRENT"
	KeyPrevious = "AWSPREVIOUS"
)

// KeyVersion is one version of the secret; its value is not part of it.
type KeyVersion struct {
	ID     string
	Stages []string
	PutAt  time.Time
}

// Key is the secret with the vendor's key.
type Key struct {
	client *secretsmanager.Client
	id     string
}

// Key reaches the secret.
func (d *Deployment) Key() Key {
	return Key{secretsmanager.NewFromConfig(d.aws), d.Outputs.APIKeySecretARN}
}

// Value is the key at a stage, trimmed; empty when there is none.
func (k Key) Value(ctx context.Context, stage string) (string, error) {
	out, err := k.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &k.id, VersionStage: &stage})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the %s key: %w", stage, err)
	}
	return strings.TrimSpace(aws.ToString(out.SecretString)), nil
}

// Versions lists the versions that are at a stage, the newest first.
func (k Key) Versions(ctx context.Context) ([]KeyVersion, error) {
	var versions []KeyVersion
	pages := secretsmanager.NewListSecretVersionIdsPaginator(k.client, &secretsmanager.ListSecretVersionIdsInput{SecretId: &k.id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the versions of the key: %w", err)
		}
		for _, v := range page.Versions {
			versions = append(versions, KeyVersion{ID: aws.ToString(v.VersionId), Stages: v.VersionStages, PutAt: aws.ToTime(v.CreatedDate).UTC()})
		}
	}
	slices.SortFunc(versions, func(a, b KeyVersion) int { return b.PutAt.Compare(a.PutAt) })
	return versions, nil
}

// ChangedAt is when anything about the secret last changed, the stage of a version included.
func (k Key) ChangedAt(ctx context.Context) (time.Time, error) {
	out, err := k.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &k.id})
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the secret of the key: %w", err)
	}
	return aws.ToTime(out.LastChangedDate).UTC(), nil
}

// Put makes value the current key, and the current one the previous.
func (k Key) Put(ctx context.Context, value string) error {
	if _, err := k.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &k.id, SecretString: &value}); err != nil {
		return fmt.Errorf("put the key: %w", err)
	}
	return nil
}

// Swap makes the previous version the current one, and the current the previous:
// Secrets Manager moves that stage by itself. Where another version is current
// by now it does nothing, and says so.
func (k Key) Swap(ctx context.Context, current, previous string) error {
	_, err := k.client.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &k.id, VersionStage: aws.String(KeyCurrent), MoveToVersionId: &previous, RemoveFromVersionId: &current,
	})
	if err != nil {
		return fmt.Errorf("make the previous key the current one: %w", err)
	}
	return nil
}

// Retire takes this version out of the previous stage.
func (k Key) Retire(ctx context.Context, version string) error {
	_, err := k.client.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &k.id, VersionStage: aws.String(KeyPrevious), RemoveFromVersionId: &version,
	})
	if err != nil {
		return fmt.Errorf("retire the previous key: %w", err)
	}
	return nil
}
