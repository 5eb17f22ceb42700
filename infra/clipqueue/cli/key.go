package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/infra/clipqueue/deployment"
)

// errKeyArgument does not repeat the argument, which may be a key.
var errKeyArgument = &failure{"the key is read from standard input, never from arguments, which other users of a machine can see", errUsage}

// noKeyHere takes no argument.
func noKeyHere(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return errKeyArgument
	}
	return nil
}

func (r *root) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "The vendor's key in Secrets Manager: set, swap, retire, status",
		Long: `The vendor's API key, which also signs its callbacks.

To rotate it: make a new key with the vendor, "key set" it, and once "key status" says that no job
depends on the old one any more, "key retire" that. If the new one was wrong, "key swap" goes back.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 && len(c.SuggestionsFor(args[0])) > 0 { // a word of this command's, and no key
				return noCommand(c, args[0])
			}
			return noKeyHere(c, args)
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(r.keySetCommand(), r.keySwapCommand(), r.keyRetireCommand(), r.keyStatusCommand())
	return c
}

func (r *root) keySetCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "set",
		Short: "Put a key, read from standard input; the old one stays valid for callbacks",
		Long: `Put the vendor's key, read from standard input: from a pipe, or typed without being shown. Never
from arguments, which other users of a machine can see.

The vendor is asked first whether it takes the key. The key before it stays valid for callbacks, and
the one before that ends: if there is one, it says who depends on it, and asks. The same value again
is refused, since it would push that one out.`,
		Example: example("clipqueue key set", "pass show creativeai | clipqueue key set --stage prod"),
		Args:    noKeyHere,
	}
	c.RunE = r.connected(func(ctx context.Context, s *Services, _ []string) error { return r.keySet(ctx, s, force) })
	c.Flags().BoolVar(&force, "force", false, "put it even if the vendor refuses it, or cannot be asked")
	r.askFirst(c)
	return c
}

func (r *root) keySwapCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "swap",
		Short: "Go back to the previous key; the current one stays valid for callbacks",
		Long: `Make the previous key the current one, and the current one the previous: the way back from a key
that was wrong, and forward again. The vendor is asked first whether it takes it.`,
		Example: example("clipqueue key swap"),
		Args:    noKeyHere,
	}
	c.RunE = r.connected(func(ctx context.Context, s *Services, _ []string) error { return r.keySwap(ctx, s, force) })
	c.Flags().BoolVar(&force, "force", false, "swap even if the vendor refuses the key, or cannot be asked")
	return c
}

func (r *root) keyRetireCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "retire",
		Short: "End the previous key: its callbacks are refused from then on",
		Long: `Take the previous key out of force. Functions that have it at hand use it for up to 5 minutes more.
Callbacks that the vendor signs with it are refused (401) from then on; the jobs concerned get
their verdict all the same, when the vendor is asked, but for those whose submit answer was lost.
It says first how many jobs depend on it, and asks. While the vendor refuses the current key, the
previous one is not ended: it may be the only one that works.`,
		Example: example("clipqueue key retire"),
		Args:    noKeyHere,
	}
	c.RunE = r.connected(func(ctx context.Context, s *Services, _ []string) error { return r.keyRetire(ctx, s, force) })
	c.Flags().BoolVar(&force, "force", false, "end it even if the vendor refuses the current key")
	r.askFirst(c)
	return c
}

func (r *root) keySet(ctx context.Context, s *Services, force bool) error {
	value, err := r.readKey()
	if err != nil {
		return err
	}
	current, previous, err := keysInForce(ctx, s)
	if err != nil {
		return err
	}
	if value == current.value {
		return &failure{"this is the key that is in force: putting it again would push the previous one out. Nothing was done", nil}
	}
	if !force {
		if err := taken(ctx, s, value, "puts it"); err != nil {
			return err
		}
	}
	if previous.value != "" && value != previous.value {
		if err := r.agreePush(ctx, s, current, previous); err != nil {
			return err
		}
	}
	if err := s.KeyWriter.Put(ctx, value); err != nil {
		return err
	}
	if r.json() {
		return r.keyStatus(ctx, s, nil)
	}
	r.say("The key %s is in force, for every function within 5 minutes.", fingerprint(value))
	if current.value != "" {
		r.say("Callbacks signed with the one before it, %s, are still taken. To see when it can be ended: clipqueue key status", fingerprint(current.value))
		r.say("If the new one is wrong: clipqueue key swap")
	}
	return nil
}

// agreePush asks before a new key pushes the previous one out.
func (r *root) agreePush(ctx context.Context, s *Services, current, previous keyInForce) error {
	held, err := r.dependents(ctx, s, current)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("The previous key, %s, would end now: callbacks signed with it are refused from then on. %s", previous.named(r.app.Now()), held.words())
	if current.value != "" && try(ctx, s, current.value).verdict == keyRefused {
		question += " The vendor refuses the current one: swap them first (clipqueue key swap), and it is that one which ends."
	}
	return r.agree(ctx, question+" Put the new key?")
}

// taken is an error unless the vendor takes the key; does is what --force does.
func taken(ctx context.Context, s *Services, key, does string) error {
	t := try(ctx, s, key)
	switch t.verdict {
	case keyRefused:
		return &failure{fmt.Sprintf("the vendor refuses this key (%s). Nothing was changed; --force %s all the same", t.says, does), nil}
	case keyUntried:
		return &failure{fmt.Sprintf("the vendor cannot be asked whether it takes this key (%s). Nothing was changed; --force %s all the same", t.says, does), nil}
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
var errNoPrevious = errors.New("there is no previous key: nothing was done")

func (r *root) keySwap(ctx context.Context, s *Services, force bool) error {
	current, previous, err := keysInForce(ctx, s)
	switch {
	case err != nil:
		return err
	case previous.value == "":
		return errNoPrevious
	}
	if !force {
		if err := taken(ctx, s, previous.value, "swaps them"); err != nil {
			return err
		}
	}
	if err := s.KeyWriter.Swap(ctx, current.version.ID, previous.version.ID); err != nil {
		return err
	}
	if r.json() {
		return r.keyStatus(ctx, s, nil)
	}
	r.say("The key %s is in force again, for every function within 5 minutes.", fingerprint(previous.value))
	r.say("Callbacks signed with %s are still taken. To see when it can be ended: clipqueue key status", fingerprint(current.value))
	return nil
}

func (r *root) keyRetire(ctx context.Context, s *Services, force bool) error {
	current, previous, err := keysInForce(ctx, s)
	switch {
	case err != nil:
		return err
	case previous.value == "":
		return errNoPrevious
	}
	if t := try(ctx, s, current.value); !force && t.verdict == keyRefused {
		return &failure{fmt.Sprintf("the vendor refuses the current key (%s), so the previous one may be the only one that works; see: clipqueue key status. Nothing was changed; --force ends it all the same", t.says), nil}
	}
	held, err := r.dependents(ctx, s, current)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("End the previous key, %s? Callbacks signed with it are refused from then on. %s", previous.named(r.app.Now()), held.words())
	if err := r.agree(ctx, question); err != nil {
		return err
	}
	if err := s.KeyWriter.Retire(ctx, previous.version.ID); err != nil {
		return err
	}
	if r.json() {
		return r.keyStatus(ctx, s, nil)
	}
	r.say("The key %s is out of force, for every function within 5 minutes.", fingerprint(previous.value))
	return nil
}

// keysInForce reads both keys; one that is not there has no value.
func keysInForce(ctx context.Context, s *Services) (current, previous keyInForce, err error) {
	versions, err := s.KeyReader.Versions(ctx)
	if err != nil {
		return current, previous, err
	}
	if current, err = inForce(ctx, s, versions, deployment.KeyCurrent); err != nil {
		return current, previous, err
	}
	previous, err = inForce(ctx, s, versions, deployment.KeyPrevious)
	return current, previous, err
}
