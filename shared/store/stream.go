package store

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clipqueue/clipqueue/shared/job"
)

var (
	// errImage is JSON that is not an image of a row.
	errImage = errors.New("not an image in DynamoDB's JSON")
	// errType is an attribute whose type, or whose value under it, is none of DynamoDB's.
	errType = errors.New("an attribute of no known type")
)

// DecodeImage reads a job from the NewImage of a stream record, as Lambda hands
// it over: DynamoDB's JSON, {"attribute": {"S": "value"}, …}. It never panics,
// whatever the image holds.
func DecodeImage(image []byte) (job.Job, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(image))
	it, err := readItem(d)
	if err == nil {
		if _, more := d.ReadToken(); !errors.Is(more, io.EOF) {
			err = errImage
		}
	}
	if err != nil {
		return job.Job{}, fmt.Errorf("decode a stream image: %w", err)
	}
	return decode(it)
}

// readItem reads {"name": attribute, …}.
func readItem(d *jsontext.Decoder) (item, error) {
	if err := expect(d, jsontext.KindBeginObject); err != nil {
		return nil, err
	}
	it := item{}
	for d.PeekKind() == jsontext.KindString {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if it[key], err = readAttribute(d); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return it, expect(d, jsontext.KindEndObject)
}

// readAttribute reads {"type": value}.
func readAttribute(d *jsontext.Decoder) (types.AttributeValue, error) {
	if err := expect(d, jsontext.KindBeginObject); err != nil {
		return nil, err
	}
	kind, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	av, err := readValue(d, kind.String())
	if err != nil {
		return nil, err
	}
	return av, expect(d, jsontext.KindEndObject)
}

func readValue(d *jsontext.Decoder, kind string) (types.AttributeValue, error) {
	switch kind {
	case "M":
		it, err := readItem(d)
		return &types.AttributeValueMemberM{Value: it}, err
	case "L":
		return readList(d)
	case "SS", "NS", "BS":
		// We write no sets; a later release may.
		set := &types.AttributeValueMemberSS{}
		return set, json.UnmarshalDecode(d, &set.Value)
	}
	v, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch got := v.Kind(); {
	case kind == "S" && got == jsontext.KindString:
		return &types.AttributeValueMemberS{Value: v.String()}, nil
	case kind == "N" && got == jsontext.KindString:
		return &types.AttributeValueMemberN{Value: v.String()}, nil
	case kind == "B" && got == jsontext.KindString:
		raw, err := base64.StdEncoding.DecodeString(v.String())
		return &types.AttributeValueMemberB{Value: raw}, err
	case kind == "BOOL" && (got == jsontext.KindTrue || got == jsontext.KindFalse):
		return &types.AttributeValueMemberBOOL{Value: got == jsontext.KindTrue}, nil
	case kind == "NULL" && got == jsontext.KindTrue:
		return &types.AttributeValueMemberNULL{Value: true}, nil
	}
	return nil, errType
}

func readList(d *jsontext.Decoder) (types.AttributeValue, error) {
	if err := expect(d, jsontext.KindBeginArray); err != nil {
		return nil, err
	}
	list := []types.AttributeValue{}
	for d.PeekKind() == jsontext.KindBeginObject {
		av, err := readAttribute(d)
		if err != nil {
			return nil, err
		}
		list = append(list, av)
	}
	return &types.AttributeValueMemberL{Value: list}, expect(d, jsontext.KindEndArray)
}

func expect(d *jsontext.Decoder, want jsontext.Kind) error {
	t, err := d.ReadToken()
	if err == nil && t.Kind() != want {
		err = errImage
	}
	return err
}

// EncodeImage writes a job as the NewImage of a stream record: what DecodeImage
// reads. It is for what stands in for the stream.
func EncodeImage(j job.Job) ([]byte, error) {
	it, err := encode(j)
	if err != nil {
		return nil, err
	}
	var image bytes.Buffer
	w := writer{e: jsontext.NewEncoder(&image)}
	w.item(it)
	if w.err != nil {
		return nil, fmt.Errorf("encode a stream image: %w", w.err)
	}
	return image.Bytes(), nil
}

// writer writes tokens until one fails.
type writer struct {
	e   *jsontext.Encoder
	err error
}

func (w *writer) tokens(tokens ...jsontext.Token) {
	for _, t := range tokens {
		if w.err == nil {
			w.err = w.e.WriteToken(t)
		}
	}
}

func (w *writer) item(it item) {
	w.tokens(jsontext.BeginObject)
	for name, av := range it {
		w.tokens(jsontext.String(name), jsontext.BeginObject)
		w.value(av)
		w.tokens(jsontext.EndObject)
	}
	w.tokens(jsontext.EndObject)
}

// value writes an attribute's type and value, without the braces around them.
func (w *writer) value(av types.AttributeValue) {
	switch av := av.(type) {
	case *types.AttributeValueMemberS:
		w.tokens(jsontext.String("S"), jsontext.String(av.Value))
	case *types.AttributeValueMemberN:
		w.tokens(jsontext.String("N"), jsontext.String(av.Value))
	case *types.AttributeValueMemberB:
		w.tokens(jsontext.String("B"), jsontext.String(base64.StdEncoding.EncodeToString(av.Value)))
	case *types.AttributeValueMemberBOOL:
		w.tokens(jsontext.String("BOOL"), jsontext.Bool(av.Value))
	case *types.AttributeValueMemberL:
		w.tokens(jsontext.String("L"), jsontext.BeginArray)
		for _, v := range av.Value {
			w.tokens(jsontext.BeginObject)
			w.value(v)
			w.tokens(jsontext.EndObject)
		}
		w.tokens(jsontext.EndArray)
	case *types.AttributeValueMemberM:
		w.tokens(jsontext.String("M"))
		w.item(av.Value)
	default:
		w.tokens(jsontext.String("NULL"), jsontext.Bool(true))
	}
}
