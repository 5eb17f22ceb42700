package prompts

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/clipqueue/clipqueue/shared/request"
)

var errNoPromptColumn = errors.New(`no column is called "prompt": the first line names the fields, such as job_id,prompt,duration,metadata.order`)

// checkHeader trims the names of the columns and refuses what cannot be meant,
// but for the names that are allowed. What may not be meant goes to mind.
func checkHeader(header []string, mind Minder, allowed []string) error {
	seen := map[string]bool{}
	for i, name := range header {
		name = strings.TrimSpace(name)
		header[i] = name
		if name == "" || name == metadataColumn {
			return fmt.Errorf("column %d has no name", i+1)
		}
		if seen[name] {
			return fmt.Errorf("two columns are called %q", name)
		}
		seen[name] = true
		if err := checkCase(name); err != nil {
			return err
		}
	}
	for name := range seen {
		if strings.HasPrefix(name, metadataColumn) && seen["metadata"] {
			return fmt.Errorf(`there is a column "metadata" and one %q: use one of the two ways`, name)
		}
	}
	if !seen["prompt"] {
		return noPrompt(header)
	}
	for _, name := range header {
		if strings.HasPrefix(name, metadataColumn) || slices.Contains(request.Fields(), name) {
			continue
		}
		if near := nearest(name); near != "" && !slices.Contains(allowed, name) {
			return fmt.Errorf("column %[1]q looks like %[2]s: nothing was sent. Rename it, or allow it with --allow-column %[1]q if the vendor "+
				"knows this name. Decide before sending: a row with another column name is another job", name, near)
		}
		mind(fmt.Sprintf("column %q is none of ours and goes to the vendor as it is: for metadata write %s", name, metadataColumn+name))
	}
	return nil
}

func noPrompt(header []string) error {
	for _, name := range header {
		if nearest(name) == "prompt" {
			return fmt.Errorf("%w; is it %q?", errNoPromptColumn, name)
		}
	}
	return errNoPromptColumn
}

// checkCase refuses the names for which each row would be refused.
func checkCase(name string) error {
	if strings.EqualFold(name, "webhook_url") {
		return fmt.Errorf("column %q is ours to set: leave it out, the result comes as an event", name)
	}
	for _, field := range request.Fields() {
		if name != field && strings.EqualFold(name, field) {
			return fmt.Errorf("column %q: names are case-sensitive: write %s", name, field)
		}
	}
	return nil
}

// metadataLike is a name that was to begin with "metadata.".
var metadataLike = regexp.MustCompile(`(?i)^meta(?:data)?[ ._:/-]+(.+)$`)

// nearest is the column that a name was to be, or "".
func nearest(name string) string {
	if found := metadataLike.FindStringSubmatch(name); found != nil {
		return metadataColumn + found[1]
	}
	for _, field := range request.Fields() {
		given, wanted := letters(name), letters(field)
		if given == wanted || levenshtein.ComputeDistance(given, wanted) <= len(wanted)/4 {
			return field
		}
	}
	return ""
}

// letters is a name without what people put between its words.
func letters(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(strings.ToLower(name))
}
