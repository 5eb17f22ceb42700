package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

func (r *root) vendorCommand() *cobra.Command {
	var address, key string
	var scale float64
	var seed uint64
	var faults []string
	c := &cobra.Command{
		Use:   "vendor",
		Short: "Run a fake CreativeAI vendor, for tests of your own",
		Long: `Run a vendor on this machine that takes submissions, takes its time, answers polls, posts signed
callbacks and serves a small video, until ctrl-C. Nothing is made and nothing costs.

It misbehaves when asked to: by --fault for all requests, or by the prompt for one job, as in
"A dog on a beach [fault: 429 retry-after=2 times=3]". GET /_fake/directives lists every fault,
GET /_fake/ledger shows what it was asked and what it accepted, and so what would have been paid.`,
		Example: example(
			"clipqueue vendor --scale 0.1",
			`clipqueue vendor --listen 127.0.0.1:4242 --fault "503 p=0.1" --fault "callback-lost p=0.2"`,
			"CREATIVEAI_URL=http://127.0.0.1:4242 make local",
		),
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&address, "listen", "127.0.0.1:0", "loopback address and port; port 0 is a free one")
	c.Flags().StringVar(&key, "key", fake.DefaultKey, "the account's key; not a secret, since the vendor is not real")
	c.Flags().Float64Var(&scale, "scale", 1, "factor on all of its times; a generation takes 30 s to 3 min at 1")
	c.Flags().Uint64Var(&seed, "seed", 0, "fixes ids, times and chances; 0 is another each time")
	c.Flags().StringArrayVar(&faults, "fault", nil, "a fault for all requests; may be repeated")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if scale <= 0 {
			return usage("--scale takes more than 0")
		}
		v, err := fake.New(fake.Config{Now: time.Now, Key: key, Scale: scale, Seed: seed, Faults: faults})
		if err != nil {
			return usage("%v", err)
		}
		defer v.Close()
		if err := v.Start(c.Context(), address); err != nil {
			return err
		}
		if r.json() {
			if err := r.print(vendorView{v.URL(), key}); err != nil {
				return err
			}
		} else {
			r.say("%s\n  key     %s\n  ledger  %s/_fake/ledger\nctrl-C ends it", v.URL(), key, v.URL())
		}
		<-c.Context().Done()
		return nil // ctrl-C is how it is meant to end
	}
	return c
}

// vendorView is the fake vendor, as JSON.
type vendorView struct {
	URL string `json:"url"`
	Key string `json:"key"`
}
