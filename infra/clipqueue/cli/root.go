package cli

import (
	_ "embed"
	"slices"

	"github.com/spf13/cobra"
)

// Names of the environment variables that stand in for flags.
const (
	envStack  = "CLIPQUEUE_STACK"
	envStage  = "CLIPQUEUE_STAGE"
	envOutput = "CLIPQUEUE_OUTPUT"
)

// The topics of help that belong to no command.
var (
	//go:embed help/output.txt
	helpOutput string
	//go:embed help/exit-codes.txt
	helpExitCodes string
	//go:embed help/deployment.txt
	helpDeployment string
	//go:embed help/root.txt
	helpRoot string
)

// root is the command itself, with the flags that all others share.
type root struct {
	app *App

	stack, stage, profile, region string
	format                        string
	yes                           bool

	// started says that the command line was in order.
	started bool
}

func newRoot(a *App) *root { return &root{app: a} }

func (r *root) command() *cobra.Command {
	c := &cobra.Command{
		Use:     "clipqueue",
		Short:   "See and steer a deployment of Clipqueue",
		Long:    helpRoot,
		Version: r.app.Version,
		// Errors are the app's to print.
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: r.check,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return noCommand(c, args[0])
			}
			return c.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	flags := c.PersistentFlags()
	flags.StringVar(&r.stack, "stack", "", "name of the CloudFormation stack (default $CLIPQUEUE_STACK, or Clipqueue-STAGE)")
	flags.StringVar(&r.stage, "stage", "", `stage of the deployment (default $CLIPQUEUE_STAGE, or "main")`)
	flags.StringVar(&r.profile, "profile", "", "AWS profile (default $AWS_PROFILE)")
	flags.StringVar(&r.region, "region", "", "AWS region (default $AWS_REGION, or the profile's)")
	flags.StringVarP(&r.format, "output", "o", "", `"table" for people, "json" for programs, one object a line (default $CLIPQUEUE_OUTPUT, or "table")`)
	c.SetFlagErrorFunc(flagError)
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	c.AddGroup(&cobra.Group{ID: groupJobs, Title: "Jobs:"}, &cobra.Group{ID: groupBundle, Title: "The bundle:"}, &cobra.Group{ID: groupTry, Title: "Trying things out:"})
	for group, commands := range map[string][]*cobra.Command{
		groupJobs: {
			r.submitCommand(), r.listCommand(), r.whyCommand(), r.cancelCommand(), r.recheckCommand(), r.resolveCommand(), r.retryCommand(), r.reportCommand(),
		},
		groupBundle: {r.doctorCommand(), r.pauseCommand(), r.resumeCommand(), r.keyCommand(), r.dlqCommand(), r.quarantineCommand()},
		groupTry:    {r.listenCommand(), r.emitCommand(), r.vendorCommand()},
	} {
		for _, sub := range commands {
			sub.GroupID = group
			c.AddCommand(sub)
		}
	}
	c.AddCommand(
		&cobra.Command{Use: "output", Short: "What --output json prints", Long: helpOutput},
		&cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: helpExitCodes},
		&cobra.Command{Use: "deployment", Short: "How a deployment is found", Long: helpDeployment},
	)
	plainly(c)
	return c
}

// The groups of commands in the help.
const (
	groupJobs   = "jobs"
	groupBundle = "bundle"
	groupTry    = "try"
)

// check is run before every command: what fails before it is a wrong command line.
func (r *root) check(c *cobra.Command, _ []string) error {
	if err := c.ValidateFlagGroups(); err != nil {
		return usage("%v", err)
	}
	if r.format == "" {
		r.format = r.app.Getenv(envOutput)
	}
	if r.format == "" {
		r.format = "table"
	}
	if !slices.Contains([]string{"table", "json"}, r.format) {
		return usage("--output is %q: write table or json", r.format)
	}
	r.started = true
	return nil
}

// target is the deployment that flags and environment name.
func (r *root) target() Target {
	t := Target{Stack: r.stack, Profile: r.profile, Region: r.region}
	if t.Stack == "" && r.stage == "" {
		t.Stack = r.app.Getenv(envStack)
	}
	if t.Stack == "" {
		stage := r.stage
		if stage == "" {
			stage = r.app.Getenv(envStage)
		}
		if stage == "" {
			stage = "main"
		}
		t.Stack = "Clipqueue-" + stage
	}
	return t
}

// askFirst gives a command that cannot be undone the flag to go on without asking.
func (r *root) askFirst(c *cobra.Command) {
	c.Flags().BoolVarP(&r.yes, "yes", "y", false, "do not ask")
}

// must is for what only a mistake in this package makes fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
