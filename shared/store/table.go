package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/clipqueue/clipqueue/shared/job"
)

// Table is the DynamoDB table of jobs.
type Table struct {
	client *dynamodb.Client
	name   string
	rules  job.Rules
	now    func() time.Time
}

// New is the table of this name. now tells which records have ended: DynamoDB
// deletes them up to days later.
func New(client *dynamodb.Client, name string, rules job.Rules, now func() time.Time) (*Table, error) {
	if client == nil || name == "" || now == nil {
		return nil, errors.New("store: a client, a table name and a clock are needed")
	}
	if err := rules.Validate(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return &Table{client: client, name: name, rules: rules, now: now}, nil
}

// Get reads the job of this key as it stands, strongly consistent; ErrNotFound
// when there is none.
func (t *Table) Get(ctx context.Context, key string) (job.Job, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: keyOf(key), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return job.Job{}, fmt.Errorf("read %s: %w", key, err)
	}
	if len(out.Item) == 0 {
		return job.Job{}, fmt.Errorf("read %s: %w", key, ErrNotFound)
	}
	j, err := decode(out.Item)
	if err != nil {
		return job.Job{}, fmt.Errorf("read %s: %w", key, err)
	}
	if !j.ExpiresAt.After(t.now()) {
		return job.Job{}, fmt.Errorf("read %s: %w", key, ErrNotFound)
	}
	return j, nil
}

// Put stores next, if the job still stands as prev; with a zero prev, if there
// is no such job yet. A [*Conflict] says what stands instead. ErrNotFound says
// that the record has gone. A write that had been made before, and whose answer
// was lost, is no conflict.
func (t *Table) Put(ctx context.Context, next, prev job.Job) error {
	it, err := encode(next)
	if err != nil {
		return err
	}
	in := &dynamodb.PutItemInput{
		TableName: &t.name, Item: it,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if prev.Version == 0 {
		in.ConditionExpression = aws.String("attribute_not_exists(#pk) OR #expires_at <= :now")
		in.ExpressionAttributeValues = item{":now": number(t.now().Unix())}
	} else {
		in.ConditionExpression, in.ExpressionAttributeValues = unchanged(prev)
	}
	in.ExpressionAttributeNames = aliases(*in.ConditionExpression)
	_, err = t.client.PutItem(ctx, in)
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return t.conflict(failed.Item, it, next.Key())
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", next.Key(), err)
	}
	return nil
}

// unchanged is the condition that the row still is what was read. The version
// counts transitions; the marker and the look move without one.
func unchanged(prev job.Job) (*string, item) {
	condition := "#version = :version AND #created_at = :created"
	values := item{":version": number(prev.Version), ":created": number(millis(prev.CreatedAt))}
	for _, field := range []struct {
		name  string
		value int64
	}{{"unpublished", unpublished(prev)}, {"due_at", millis(prev.DueAt)}} {
		if field.value == 0 {
			condition += " AND attribute_not_exists(#" + field.name + ")"
			continue
		}
		condition += " AND #" + field.name + " = :" + field.name
		values[":"+field.name] = number(field.value)
	}
	return &condition, values
}

// conflict tells our own success, whose answer was lost, from someone else's.
func (t *Table) conflict(old, meant item, key string) error {
	if len(old) == 0 {
		return fmt.Errorf("write %s: %w", key, ErrNotFound)
	}
	if reflect.DeepEqual(old, meant) {
		return nil
	}
	current, err := decode(old)
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return &Conflict{Current: current}
}

// Settle stores a callback's verdict in one write that reads nothing. Its errors
// are those of [job.Rules.Apply], ErrNotFound, or the table's.
func (t *Table) Settle(ctx context.Context, id string, v job.Verdict) error {
	in, err := t.settlement(id, v)
	if err != nil {
		return err
	}
	_, err = t.client.UpdateItem(ctx, in)
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return fmt.Errorf("settle %s: %w", job.Key(id), err)
	case len(failed.Item) == 0:
		return fmt.Errorf("settle %s: %w", job.Key(id), ErrNotFound)
	}
	current, err := decode(failed.Item)
	if err != nil {
		return fmt.Errorf("settle %s: %w", job.Key(id), err)
	}
	if !current.ExpiresAt.After(t.now()) {
		return fmt.Errorf("settle %s: %w", job.Key(id), ErrNotFound)
	}
	if _, err := t.rules.Apply(current, v); err != nil {
		return fmt.Errorf("settle %s, which is %s: %w", job.Key(id), current.State, err)
	}
	return fmt.Errorf("settle %s: its condition failed for no reason that the rules know", job.Key(id))
}

// settlement is the write that does what [job.Rules.Apply] does with a verdict,
// to a job that was not read. The suite in storetest holds the two together.
func (t *Table) settlement(id string, v job.Verdict) (*dynamodb.UpdateItemInput, error) {
	blank := job.Job{ID: id, State: job.Processing, Token: v.Token, GenerationID: v.GenerationID}
	settled, err := t.rules.Apply(blank, v)
	if err != nil || v.Token == "" {
		return nil, fmt.Errorf("settle %s: %w", job.Key(id), errors.Join(err, job.ErrForeign))
	}
	for i := range settled.History {
		settled.History[i].Version = 0
	}
	for i := range settled.Owed {
		settled.Owed[i].Version = 0
	}
	meant, err := encode(settled)
	if err != nil {
		return nil, err
	}
	set := "SET #state = :state, #generation_id = :generation, #result = :result, #callback = :callback, " +
		"#settled_at = :at, #expires_at = :end, #version = #version + :one, #unpublished = #version + :one, " +
		"#history = list_append(#history, :step), #owed = list_append(if_not_exists(#owed, :none), :owed), " +
		"#due_at = if_not_exists(#due_at, :due)"
	values := item{
		":state": meant["state"], ":generation": meant["generation_id"], ":result": meant["result"],
		":callback": &types.AttributeValueMemberB{Value: v.Body}, ":at": meant["settled_at"], ":end": meant["expires_at"],
		":one": number(1), ":step": meant["history"], ":owed": meant["owed"],
		":none": &types.AttributeValueMemberL{Value: []types.AttributeValue{}},
		":due":  meant["due_at"], ":token": text(v.Token), ":now": number(t.now().Unix()),
	}
	if archive, ok := meant["archive"]; ok {
		set += ", #archive = :archive"
		values[":archive"] = archive
	}
	condition := "#token = :token AND #state IN (" + awaitsVerdict(values) + ") AND " +
		"(attribute_not_exists(#generation_id) OR #generation_id = :generation) AND #expires_at > :now"
	return &dynamodb.UpdateItemInput{
		TableName: &t.name, Key: keyOf(job.Key(id)),
		UpdateExpression: &set, ConditionExpression: &condition,
		ExpressionAttributeNames: aliases(set, condition), ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, nil
}

// awaitsVerdict lists, as names of values, the states that a verdict is accepted in.
func awaitsVerdict(values item) string {
	var names string
	for _, s := range job.States() {
		if !s.AwaitsVerdict() {
			continue
		}
		name := ":from_" + string(s)
		if names != "" {
			names += ", "
		}
		names += name
		values[name] = text(string(s))
	}
	return names
}

// Due reads up to limit entries of one shard, 0 to Shards-1, that were due at
// the given time, the longest overdue first.
func (t *Table) Due(ctx context.Context, shard int, at time.Time, limit int) ([]Due, error) {
	out, err := t.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &t.name, IndexName: aws.String("due"), Limit: aws.Int32(int32(limit)), //nolint:gosec // a page size
		KeyConditionExpression:   aws.String("#due_shard = :shard AND #due_at <= :at"),
		ExpressionAttributeNames: map[string]string{"#due_shard": "due_shard", "#due_at": "due_at"},
		ExpressionAttributeValues: item{
			":shard": text(fmt.Sprintf("due#%d", shard)), ":at": number(at.UnixMilli()),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("read what is due: %w", err)
	}
	due := make([]Due, 0, len(out.Items))
	for _, it := range out.Items {
		pk, _ := it["pk"].(*types.AttributeValueMemberS)
		n, _ := it["due_at"].(*types.AttributeValueMemberN)
		if pk == nil || n == nil {
			return nil, errors.New("read what is due: an entry without pk or due_at")
		}
		when, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read what is due: due_at of %s: %w", pk.Value, err)
		}
		due = append(due, Due{Key: pk.Value, At: fromMillis(when)})
	}
	return due, nil
}

// Quarantine keeps a callback, raw, and counts how often it came. Its row is in
// the index "created", in a partition of its own.
func (t *Table) Quarantine(ctx context.Context, q Quarantined) error {
	update := "SET #path = :path, #body = :body, #reason = :reason, #last_at = :at, " +
		"#first_at = if_not_exists(#first_at, :at), #created_at = if_not_exists(#created_at, :at), " +
		"#created_shard = :shard ADD #seen :one"
	_, err := t.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.name, Key: keyOf(q.Key()),
		UpdateExpression: &update, ExpressionAttributeNames: aliases(update),
		ExpressionAttributeValues: item{
			":path": text(q.Path), ":body": &types.AttributeValueMemberB{Value: q.Body}, ":reason": text(q.Reason),
			":at": number(millis(q.At)), ":one": number(1), ":shard": text(quarantineShard),
		},
	})
	if err != nil {
		return fmt.Errorf("quarantine %s: %w", q.Key(), err)
	}
	return nil
}

// Key is the row of this callback: the same one, at the same path, comes to the same row.
func (q Quarantined) Key() string {
	h := sha256.New()
	h.Write([]byte(q.Path))
	h.Write([]byte{'\n'})
	h.Write(q.Body)
	return quarantinePrefix + hex.EncodeToString(h.Sum(nil))
}

// aliases names every #attribute of the expressions, so that none can meet one
// of DynamoDB's several hundred reserved words.
func aliases(expressions ...string) map[string]string {
	names := map[string]string{}
	for _, e := range expressions {
		for _, after := range strings.Split(e, "#")[1:] {
			name := strings.TrimSuffix(after, strings.TrimLeft(after, "abcdefghijklmnopqrstuvwxyz_"))
			names["#"+name] = name
		}
	}
	return names
}

func keyOf(key string) item { return item{"pk": text(key)} }

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
