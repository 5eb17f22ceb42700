package prices

import (
	"strings"
	"testing"
	"time"
)

func TestEachPriceIsWhole(t *testing.T) {
	l := Current()
	if _, err := time.Parse(time.DateOnly, l.AsOf); err != nil {
		t.Errorf("the prices have no date: %v", err)
	}
	if l.Region == "" || l.Currency != "USD" || l.Note == "" {
		t.Errorf("the list says too little of itself: region %q, currency %q, note %q", l.Region, l.Currency, l.Note)
	}
	for name, p := range l.Prices {
		if p.USD <= 0 || p.Per <= 0 || p.Unit == "" || !strings.HasPrefix(p.Source, "https://aws.amazon.com/") {
			t.Errorf("the price of %s is not whole: %+v", name, p)
		}
	}
	if got, want := l.Each("Step Functions GB-second"), 0.06/3600; got != want {
		t.Errorf("a GB-second costs %v, want %v", got, want)
	}
}

func TestWhatHasNoPrice(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a thing without a price costs nothing")
		}
	}()
	Current().Each("SQS requests")
}
