package store

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/clipqueue/clipqueue/shared/job"
	"github.com/clipqueue/clipqueue/shared/strictjson"
)

// DecodeImage reads a job from the NewImage of a stream record, as Lambda hands
// it over: DynamoDB's JSON, {"attribute": {"S": "value"}, …}. It never panics,
// whatever the image holds.
func DecodeImage(image []byte) (job.Job, error) {
	var values map[string]value
	if err := strictjson.Unmarshal(image, &values); err != nil {
		return job.Job{}, fmt.Errorf("decode a stream image: %w", err)
	}
	it := make(item, len(values))
	for name, v := range values {
		av, err := v.attribute()
		if err != nil {
			return job.Job{}, fmt.Errorf("decode a stream image: %s: %w", name, err)
		}
		it[name] = av
	}
	return decode(it)
}

// value is one attribute in DynamoDB's JSON; exactly one field is set.
type value struct {
	S    *string          `json:"S"`
	N    *string          `json:"N"`
	B    *[]byte          `json:"B"`
	BOOL *bool            `json:"BOOL"`
	NULL *bool            `json:"NULL"`
	L    []value          `json:"L"`
	M    map[string]value `json:"M"`
}

func (v value) attribute() (types.AttributeValue, error) {
	switch {
	case v.S != nil:
		return &types.AttributeValueMemberS{Value: *v.S}, nil
	case v.N != nil:
		return &types.AttributeValueMemberN{Value: *v.N}, nil
	case v.B != nil:
		return &types.AttributeValueMemberB{Value: *v.B}, nil
	case v.BOOL != nil:
		return &types.AttributeValueMemberBOOL{Value: *v.BOOL}, nil
	case v.NULL != nil:
		return &types.AttributeValueMemberNULL{Value: *v.NULL}, nil
	case v.L != nil:
		return list(v.L)
	case v.M != nil:
		return document(v.M)
	}
	return nil, errors.New("an attribute of no known type")
}

func list(in []value) (types.AttributeValue, error) {
	out := make([]types.AttributeValue, len(in))
	for i, v := range in {
		av, err := v.attribute()
		if err != nil {
			return nil, err
		}
		out[i] = av
	}
	return &types.AttributeValueMemberL{Value: out}, nil
}

func document(in map[string]value) (types.AttributeValue, error) {
	out := make(item, len(in))
	for name, v := range in {
		av, err := v.attribute()
		if err != nil {
			return nil, err
		}
		out[name] = av
	}
	return &types.AttributeValueMemberM{Value: out}, nil
}
