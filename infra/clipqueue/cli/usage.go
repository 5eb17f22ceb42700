package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// otherNames are the words under which people look for a command.
func otherNames(command string) []string {
	return map[string][]string{
		"doctor": {"status", "health", "check", "logs", "log", "queue"},
		"why":    {"show", "get", "describe", "inspect", "job"},
		"list":   {"ls", "jobs", "search", "find"},
		"submit": {"send", "add", "enqueue", "put", "create"},
		"retry":  {"redo", "again", "resubmit"},
		"cancel": {"delete", "rm", "kill", "stop"},
		"pause":  {"suspend", "halt"},
		"resume": {"unpause", "start", "continue"},
		"listen": {"watch", "tail", "events", "follow"},
		"dlq":    {"dead", "dead-letters", "redrive"},
		"report": {"stats", "costs", "cost"},
	}[command]
}

// plainly makes what cobra says of a wrong command line readable, for a command
// and those below it.
func plainly(c *cobra.Command) {
	c.SuggestFor, c.SuggestionsMinimumDistance = otherNames(c.Name()), 2
	for _, sub := range c.Commands() {
		plainly(sub)
	}
	check := c.Args
	if check == nil {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err == nil || errors.Is(err, errUsage) { // which has words of its own
			return err
		}
		return wrongArgs(c, args)
	}
}

// wrongArgs says what a command takes instead of so many arguments.
func wrongArgs(c *cobra.Command, args []string) error {
	_, takes, _ := strings.Cut(c.Use, " ")
	switch {
	case c.HasSubCommands():
		return noCommand(c, args[0])
	case len(args) == 0:
		return usage("something is missing: %s %s", c.CommandPath(), takes)
	case takes == "":
		return usage("%s takes no argument: %q is too much", c.CommandPath(), args[0])
	}
	last := args[len(args)-1]
	return usage("this does not fit, from %q on: %s %s\nPut in quotes what has spaces in it", last, c.CommandPath(), takes)
}

// noCommand says what might have been meant.
func noCommand(c *cobra.Command, name string) error {
	what := "there is no command " + c.CommandPath() + " " + name
	if near := c.SuggestionsFor(name); len(near) > 0 {
		return usage("%s; is it %s %s?", what, c.CommandPath(), strings.Join(near, " or "))
	}
	return usage("%s", what)
}

// flagError says what a flag takes instead of what was given.
func flagError(_ *cobra.Command, err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return usage("%v", err)
	}
	flag := invalid.GetFlag()
	unit, _ := pflag.UnquoteUsage(flag)
	var write string
	switch kind := flag.Value.Type(); kind {
	case "int":
		if write = "a whole number"; unit != kind {
			write = "whole " + unit
		}
	case "float64":
		write = "a number"
	case "bool":
		write = "true or false"
	default:
		return usage("%v", err)
	}
	return usage("--%s %s: write %s", flag.Name, invalid.GetValue(), write)
}
