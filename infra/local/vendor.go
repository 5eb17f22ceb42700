package local

import (
	"context"
	"fmt"
	"time"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

// startVendor starts the fake vendor, unless the options name another.
func (b *Bundle) startVendor(ctx context.Context, o Options) error {
	b.VendorURL = o.VendorURL
	if o.VendorURL != "" {
		return nil
	}
	vendor, err := fake.New(fake.Config{Now: time.Now, Key: b.APIKey, Scale: o.VendorScale}) //nolint:contextcheck // it lives until Close
	if err != nil {
		return fmt.Errorf("vendor: %w", err)
	}
	b.Vendor = vendor
	if err := vendor.Start(ctx, ""); err != nil {
		return fmt.Errorf("vendor: %w", err)
	}
	b.VendorURL = vendor.URL()
	return nil
}
