package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
	"github.com/clipqueue/clipqueue/infra/clipqueue/story"
)

func (r *root) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "The vendor's key in Secrets Manager: set, retire, status",
		Long: `The vendor's API key, which also signs its callbacks.

To rotate it: make a new key with the vendor, "key set" it, and once no job of the old key is
processing any more, "key retire" the old one.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	retire := &cobra.Command{
		Use:   "retire",
		Short: "End the previous key: its callbacks are refused from then on",
		Long: `Take the previous key out of force. Functions that have it at hand use it for up to 5 minutes more.
Callbacks that the vendor signs with it are refused (401) from then on; the jobs concerned get
their verdict all the same, when the vendor is asked.`,
		Example: example("clipqueue key retire"),
		Args:    cobra.NoArgs,
		RunE:    r.connected(r.keyRetire),
	}
	r.askFirst(retire)
	c.AddCommand(
		&cobra.Command{
			Use:   "set",
			Short: "Put a key, read from standard input; the old one stays valid for callbacks",
			Long: `Put the vendor's key, read from standard input: from a pipe, or typed without being shown. Never
from arguments, which other users of a machine can see.

The key before it stays valid for callbacks. The same value again is refused, since it would push
that one out.`,
			Example: example("clipqueue key set", "pass show creativeai | clipqueue key set --stage prod"),
			Args:    cobra.NoArgs,
			RunE:    r.connected(r.keySet),
		},
		retire,
		&cobra.Command{
			Use:     "status",
			Short:   "Which keys are in force, and since when; never the keys themselves",
			Example: example("clipqueue key status"),
			Args:    cobra.NoArgs,
			RunE:    r.connected(r.keyStatus),
		},
	)
	return c
}

func (r *root) keySet(ctx context.Context, s *Services, _ []string) error {
	value, err := r.readKey()
	if err != nil {
		return err
	}
	current, err := s.KeyReader.Value(ctx, deployment.KeyCurrent)
	if err != nil {
		return err
	}
	if value == current {
		return &failure{"this is the key that is in force: putting it again would push the previous one out. Nothing was done", nil}
	}
	if err := s.KeyWriter.Put(ctx, value); err != nil {
		return err
	}
	if r.json() {
		return r.keyStatus(ctx, s, nil)
	}
	r.say("The key is in force, for every function within 5 minutes.")
	if current != "" {
		r.say("Callbacks signed with the one before it are still taken. When no job of its is processing any more: clipqueue key retire")
	}
	return nil
}

// maxKey is far beyond the length of any key.
const maxKey = 4096

// readKey reads the key and refuses what cannot be one. No error repeats it.
func (r *root) readKey() (string, error) {
	var text string
	var err error
	if r.app.Secret != nil {
		r.app.complain("The vendor's API key (not shown): ")
		text, err = r.app.Secret()
		r.app.complain("\n")
	} else {
		var all []byte
		all, err = io.ReadAll(io.LimitReader(bufio.NewReader(r.app.In), maxKey+1))
		text = string(all)
	}
	if err != nil {
		return "", fmt.Errorf("read the key from standard input: %w", err)
	}
	key := strings.TrimSpace(text)
	switch {
	case key == "":
		return "", usage("there is no key on standard input: type it, or pipe it in")
	case len(key) > maxKey:
		return "", usage("the key on standard input is longer than %d bytes: that is none", maxKey)
	case strings.HasPrefix(key, "{"):
		return "", usage("standard input holds JSON: pipe in the bare key")
	case strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }):
		return "", usage("the key has a space, a line break or a character that no key has: pipe in the key alone")
	}
	return key, nil
}

// errNoPrevious is a secret without a previous version.
var errNoPrevious = errors.New("there is no previous key: nothing to retire")

func (r *root) keyRetire(ctx context.Context, s *Services, _ []string) error {
	version, err := previous(ctx, s)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("End the key that was put %s? Callbacks signed with it are refused from then on.", story.Distance(version.PutAt, r.app.Now()))
	if err := r.agree(ctx, question); err != nil {
		return err
	}
	if err := s.KeyWriter.Retire(ctx, version.ID); err != nil {
		return err
	}
	if r.json() {
		return r.keyStatus(ctx, s, nil)
	}
	r.say("The previous key is out of force, for every function within 5 minutes.")
	return nil
}

// previous is the version of the secret that is at the previous stage and has a value.
func previous(ctx context.Context, s *Services) (deployment.KeyVersion, error) {
	versions, err := s.KeyReader.Versions(ctx)
	if err != nil {
		return deployment.KeyVersion{}, err
	}
	for _, v := range versions {
		if !slices.Contains(v.Stages, deployment.KeyPrevious) {
			continue
		}
		value, err := s.KeyReader.Value(ctx, deployment.KeyPrevious)
		if err != nil || value != "" {
			return v, err
		}
	}
	return deployment.KeyVersion{}, errNoPrevious
}

// keyView is a key in force, as JSON.
type keyView struct {
	Stage string    `json:"stage"`
	Set   bool      `json:"set"`
	PutAt time.Time `json:"put_at,omitzero"`
}

func (r *root) keyStatus(ctx context.Context, s *Services, _ []string) error {
	versions, err := s.KeyReader.Versions(ctx)
	if err != nil {
		return err
	}
	t := r.table("key", "in force", "put")
	for _, stage := range []struct{ name, secret string }{{"current", deployment.KeyCurrent}, {"previous", deployment.KeyPrevious}} {
		value, err := s.KeyReader.Value(ctx, stage.secret)
		if err != nil {
			return err
		}
		view, put := keyView{Stage: stage.name, Set: value != ""}, ""
		for _, v := range versions {
			if view.Set && slices.Contains(v.Stages, stage.secret) {
				view.PutAt = v.PutAt
				put = v.PutAt.UTC().Format("2006-01-02 15:04:05 UTC") + ", " + story.Distance(v.PutAt, r.app.Now())
			}
		}
		if r.json() {
			if err := r.print(view); err != nil {
				return err
			}
			continue
		}
		t.AppendRow([]any{stage.name, map[bool]string{true: "yes", false: "no"}[view.Set], put})
	}
	if !r.json() {
		t.Render()
	}
	return nil
}
