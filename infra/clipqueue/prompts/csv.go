package prompts

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// metadataColumn begins the columns that go into a message's metadata.
const metadataColumn = "metadata."

// csvRows reads a message a row. The header names the fields: metadata.NAME
// goes into the metadata, as text, and an empty cell is left out.
func csvRows(r *bufio.Reader, mind Minder, allowed []string) iter.Seq2[raw, error] {
	return func(yield func(raw, error) bool) {
		rows := csv.NewReader(r)
		header, err := rows.Read()
		if err == nil {
			err = checkHeader(header, mind, allowed)
		}
		if err != nil {
			yield(raw{}, fmt.Errorf("the header of the CSV: %w", err))
			return
		}
		for {
			cells, err := rows.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			out, err := csvRow(rows, header, cells, err)
			if !yield(out, err) {
				return
			}
		}
	}
}

func csvRow(rows *csv.Reader, header, cells []string, err error) (raw, error) {
	if errors.Is(err, csv.ErrFieldCount) {
		line, _ := rows.FieldPos(0)
		return raw{}, &Problem{Place: cellsPlace(line, header, cells), What: fmt.Sprintf(
			"it has %d cells where the header has %d: put cells that hold a comma in double quotes", len(cells), len(header))}
	}
	if err != nil {
		return raw{}, err // it names the line
	}
	line, _ := rows.FieldPos(0)
	body, err := message(header, cells)
	if err != nil {
		return raw{}, &Problem{Place: cellsPlace(line, header, cells), What: err.Error()}
	}
	return raw{line: line, body: body}, nil
}

// cellsPlace names a row that is no message, by the cells that it has.
func cellsPlace(line int, header, cells []string) Place {
	p := Place{Line: line}
	for i, name := range header[:min(len(header), len(cells))] {
		switch name {
		case "job_id":
			p.JobID = Beginning(cells[i], promptShown)
		case "prompt":
			p.Prompt = cells[i]
		}
	}
	return p
}

// message is the queue message of a row.
func message(header, cells []string) ([]byte, error) {
	fields, metadata := map[string]jsontext.Value{}, map[string]string{}
	for i, name := range header {
		cell := cells[i]
		if strings.TrimSpace(cell) == "" {
			continue
		}
		if key, ok := strings.CutPrefix(name, metadataColumn); ok {
			metadata[key] = cell
			continue
		}
		value, err := cellValue(name, cell)
		if err != nil {
			return nil, err
		}
		fields[name] = value
	}
	if len(metadata) > 0 {
		value, err := json.Marshal(metadata, json.Deterministic(true))
		if err != nil {
			return nil, fmt.Errorf("metadata: %w", err)
		}
		fields["metadata"] = value
	}
	return json.Marshal(fields, json.Deterministic(true))
}

// cellValue is a cell as JSON: the fields that are texts as text, the others as
// they are written where that is JSON, and as text where it is not.
func cellValue(name, cell string) (jsontext.Value, error) {
	switch name {
	case "job_id", "prompt", "model", "aspect_ratio", "resolution", "delivery":
	default:
		if value := jsontext.Value(strings.TrimSpace(cell)); value.IsValid() {
			return value, nil
		}
	}
	value, err := json.Marshal(cell)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: save the file as UTF-8", name, err)
	}
	return value, nil
}
