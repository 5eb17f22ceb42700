package store

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

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
	S    *string          `json:"S,omitzero"`
	N    *string          `json:"N,omitzero"`
	B    *[]byte          `json:"B,omitzero"`
	BOOL *bool            `json:"BOOL,omitzero"`
	NULL *bool            `json:"NULL,omitzero"`
	L    []value          `json:"L,omitzero"`
	M    map[string]value `json:"M,omitzero"`
	// Sets are not ours; a later release, or a user, may have added some.
	SS []string `json:"SS,omitzero"`
	NS []string `json:"NS,omitzero"`
	BS [][]byte `json:"BS,omitzero"`
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
	case v.SS != nil:
		return &types.AttributeValueMemberSS{Value: v.SS}, nil
	case v.NS != nil:
		return &types.AttributeValueMemberNS{Value: v.NS}, nil
	case v.BS != nil:
		return &types.AttributeValueMemberBS{Value: v.BS}, nil
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

// EncodeImage writes a job as the NewImage of a stream record: what DecodeImage
// reads. It is for what stands in for the stream.
func EncodeImage(j job.Job) ([]byte, error) {
	it, err := encode(j)
	if err != nil {
		return nil, err
	}
	image, err := json.Marshal(imageOf(it), json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode a stream image: %w", err)
	}
	return image, nil
}

func imageOf(it item) map[string]value {
	out := make(map[string]value, len(it))
	for name, av := range it {
		out[name] = valueOf(av)
	}
	return out
}

func valueOf(av types.AttributeValue) value {
	switch av := av.(type) {
	case *types.AttributeValueMemberS:
		return value{S: &av.Value}
	case *types.AttributeValueMemberN:
		return value{N: &av.Value}
	case *types.AttributeValueMemberB:
		return value{B: &av.Value}
	case *types.AttributeValueMemberBOOL:
		return value{BOOL: &av.Value}
	case *types.AttributeValueMemberL:
		l := make([]value, len(av.Value))
		for i, v := range av.Value {
			l[i] = valueOf(v)
		}
		return value{L: l}
	case *types.AttributeValueMemberM:
		return value{M: imageOf(av.Value)}
	}
	none := true
	return value{NULL: &none}
}
