package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/clipqueue/clipqueue/shared/job"
)

// Created is an entry of the index of jobs and rejections by the time of their creation.
type Created struct {
	// Key is the record's key; see [job.Job.Key].
	Key string
	At  time.Time
}

// The bounds of one call: DynamoDB's own for a batch, and a page of the index
// that a reader who stops early has not paid much for.
const (
	batchMax    = 100
	createdPage = 200
	// day is the length of a partition of the index.
	day = 24 * time.Hour
	// longestList is the longest time that is listed: each day costs at least Shards queries.
	longestList = 3660 * day
	// batchTries is how often what a batch left unread is asked for again.
	batchTries = 8
)

// CreatedBetween lists jobs and rejections created from since until just before
// until, newest first. It reads the index alone, a day and a page at a time, and
// no more once the reader stops. An error ends the list. Entries of ended
// records are among them.
func (t *Table) CreatedBetween(ctx context.Context, since, until time.Time) iter.Seq2[Created, error] {
	return func(yield func(Created, error) bool) {
		last := until.UTC().Add(-time.Millisecond)
		if last.Sub(since) > longestList {
			yield(Created{}, fmt.Errorf("list what was created since %s: that is more than %d days", since.UTC().Format(time.DateOnly), longestList/day))
			return
		}
		for start := last.Truncate(day); start.Add(day).After(since); start = start.Add(-day) {
			m := merge{table: t, day: start.Format(time.DateOnly), since: millis(since), last: millis(last)}
			if !m.each(ctx, yield) {
				return
			}
		}
	}
}

// merge reads the shards of one day side by side, newest first.
type merge struct {
	table       *Table
	day         string
	since, last int64
	shards      [Shards]cursor
}

// cursor is where the reading of one shard stands.
type cursor struct {
	entries []Created
	next    item
	ended   bool
}

// each is false when the reader has stopped, or was told of an error.
func (m *merge) each(ctx context.Context, yield func(Created, error) bool) bool {
	for {
		newest := -1
		for i := range m.shards {
			if err := m.fill(ctx, i); err != nil {
				yield(Created{}, fmt.Errorf("list what was created on %s: %w", m.day, err))
				return false
			}
			entries := m.shards[i].entries
			if len(entries) > 0 && (newest < 0 || entries[0].At.After(m.shards[newest].entries[0].At)) {
				newest = i
			}
		}
		if newest < 0 {
			return true
		}
		entry := m.shards[newest].entries[0]
		m.shards[newest].entries = m.shards[newest].entries[1:]
		if !yield(entry, nil) {
			return false
		}
	}
}

// fill reads the shard's next page, if there is one and none is at hand.
func (m *merge) fill(ctx context.Context, shard int) error {
	c := &m.shards[shard]
	for len(c.entries) == 0 && !c.ended {
		out, err := m.table.client.Query(ctx, &dynamodb.QueryInput{
			TableName: &m.table.name, IndexName: aws.String("created"), Limit: aws.Int32(createdPage),
			ScanIndexForward: aws.Bool(false), ExclusiveStartKey: c.next,
			KeyConditionExpression:   aws.String("#created_shard = :shard AND #created_at BETWEEN :since AND :last"),
			ExpressionAttributeNames: map[string]string{"#created_shard": "created_shard", "#created_at": "created_at"},
			ExpressionAttributeValues: item{
				":shard": text(fmt.Sprintf("%s#%d", m.day, shard)), ":since": number(m.since), ":last": number(m.last),
			},
		})
		if err != nil {
			return err
		}
		for _, it := range out.Items {
			entry, err := createdEntry(it)
			if err != nil {
				return err
			}
			c.entries = append(c.entries, entry)
		}
		c.next, c.ended = out.LastEvaluatedKey, len(out.LastEvaluatedKey) == 0
	}
	return nil
}

func createdEntry(it item) (Created, error) {
	pk, _ := it["pk"].(*types.AttributeValueMemberS)
	n, _ := it["created_at"].(*types.AttributeValueMemberN)
	if pk == nil || n == nil {
		return Created{}, errors.New("an entry without pk or created_at")
	}
	at, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return Created{}, fmt.Errorf("created_at of %s: %w", pk.Value, err)
	}
	return Created{Key: pk.Value, At: fromMillis(at)}, nil
}

// Many reads the jobs and rejections of these keys, in their order, eventually
// consistent: half the price of [Table.Get], and up to a second old. A key that
// is not there, or whose record has ended, is left out.
func (t *Table) Many(ctx context.Context, keys []string) ([]job.Job, error) {
	found := map[string]item{}
	for batch := range slices.Chunk(distinct(keys), batchMax) {
		if err := t.readBatch(ctx, batch, found); err != nil {
			return nil, err
		}
	}
	var jobs []job.Job
	for _, key := range keys {
		it, ok := found[key]
		if !ok {
			continue
		}
		j, err := decode(it)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		if j.ExpiresAt.After(t.now()) {
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

// readBatch reads at most batchMax rows into found, by their keys.
func (t *Table) readBatch(ctx context.Context, keys []string, found map[string]item) error {
	ask := make([]map[string]types.AttributeValue, len(keys))
	for i, key := range keys {
		ask[i] = keyOf(key)
	}
	wait := 50 * time.Millisecond
	for range batchTries {
		out, err := t.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{t.name: {Keys: ask}},
		})
		if err != nil {
			return fmt.Errorf("read %d jobs: %w", len(keys), err)
		}
		for _, it := range out.Responses[t.name] {
			if pk, ok := it["pk"].(*types.AttributeValueMemberS); ok {
				found[pk.Value] = it
			}
		}
		if ask = out.UnprocessedKeys[t.name].Keys; len(ask) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("read %d jobs: %w", len(keys), ctx.Err())
		case <-time.After(wait):
			wait *= 2
		}
	}
	return fmt.Errorf("read %d jobs: DynamoDB left %d unread, %d times: try again later", len(keys), len(ask), batchTries)
}

func distinct(keys []string) []string {
	seen := map[string]bool{}
	var list []string
	for _, key := range keys {
		if !seen[key] {
			seen[key] = true
			list = append(list, key)
		}
	}
	return list
}
