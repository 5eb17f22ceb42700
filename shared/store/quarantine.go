package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// quarantinePrefix begins the key of a callback in quarantine.
const quarantinePrefix = "quarantine#"

// quarantineShard is their partition of the index "created", which so lists
// them without a scan. Days never look like it, so no list of jobs has them.
const quarantineShard = "quarantine"

// Held is a callback in quarantine; its At is when it came last.
type Held struct {
	Quarantined

	// FirstAt is when it came first.
	FirstAt time.Time
	// Seen counts how often it came.
	Seen int
}

// held is a callback in quarantine as the table holds it.
type held struct {
	Path    string `dynamodbav:"path"`
	Body    []byte `dynamodbav:"body"`
	Reason  string `dynamodbav:"reason"`
	FirstAt int64  `dynamodbav:"first_at"`
	LastAt  int64  `dynamodbav:"last_at"`
	Seen    int    `dynamodbav:"seen"`
}

// ID is the callback's name among those in quarantine: its key without the prefix.
func (q Quarantined) ID() string { return strings.TrimPrefix(q.Key(), quarantinePrefix) }

// ListQuarantine reads up to limit callbacks, those that first came last at the front.
func (t *Table) ListQuarantine(ctx context.Context, limit int) ([]Held, error) {
	var list []Held
	var next item
	for {
		out, err := t.client.Query(ctx, &dynamodb.QueryInput{
			TableName: &t.name, IndexName: aws.String("created"), ScanIndexForward: aws.Bool(false), ExclusiveStartKey: next,
			Limit:                     aws.Int32(createdPage),
			KeyConditionExpression:    aws.String("#created_shard = :shard"),
			ExpressionAttributeNames:  map[string]string{"#created_shard": "created_shard"},
			ExpressionAttributeValues: item{":shard": text(quarantineShard)},
		})
		if err != nil {
			return nil, fmt.Errorf("list the quarantine: %w", err)
		}
		page, err := t.readHeld(ctx, out.Items)
		if err != nil {
			return nil, fmt.Errorf("list the quarantine: %w", err)
		}
		list, next = append(list, page...), out.LastEvaluatedKey
		if len(list) >= limit || len(next) == 0 {
			return list[:min(len(list), limit)], nil
		}
	}
}

// readHeld reads the rows of index entries, in their order.
func (t *Table) readHeld(ctx context.Context, entries []item) ([]Held, error) {
	keys := make([]string, len(entries))
	for i, it := range entries {
		entry, err := createdEntry(it)
		if err != nil {
			return nil, err
		}
		keys[i] = entry.Key
	}
	rows := map[string]item{}
	for batch := range slices.Chunk(keys, batchMax) {
		if err := t.readBatch(ctx, batch, rows); err != nil {
			return nil, err
		}
	}
	var list []Held
	for _, key := range keys {
		it, ok := rows[key]
		if !ok {
			continue // dropped meanwhile
		}
		h, err := decodeHeld(it)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		list = append(list, h)
	}
	return list, nil
}

// GetQuarantined reads one callback by its ID; ErrNotFound when there is none.
func (t *Table) GetQuarantined(ctx context.Context, id string) (Held, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: keyOf(quarantinePrefix + id), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return Held{}, fmt.Errorf("read from quarantine %s: %w", id, err)
	}
	if len(out.Item) == 0 {
		return Held{}, fmt.Errorf("read from quarantine %s: %w", id, ErrNotFound)
	}
	h, err := decodeHeld(out.Item)
	if err != nil {
		return Held{}, fmt.Errorf("read from quarantine %s: %w", id, err)
	}
	return h, nil
}

// DropQuarantined deletes one callback by its ID. One that is not there is no error.
func (t *Table) DropQuarantined(ctx context.Context, id string) error {
	_, err := t.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &t.name, Key: keyOf(quarantinePrefix + id)})
	if err != nil {
		return fmt.Errorf("drop from quarantine %s: %w", id, err)
	}
	return nil
}

func decodeHeld(it item) (Held, error) {
	var h held
	if err := attributevalue.UnmarshalMap(it, &h); err != nil {
		return Held{}, fmt.Errorf("decode: %w", err)
	}
	return Held{
		Quarantined: Quarantined{Path: h.Path, Body: h.Body, Reason: h.Reason, At: fromMillis(h.LastAt)},
		FirstAt:     fromMillis(h.FirstAt), Seen: h.Seen,
	}, nil
}
