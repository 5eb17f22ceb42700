// Package prices holds what AWS charges: list prices, each with its source, and
// the date when they were looked up.
package prices

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed prices.json
var file []byte

// List is the price of everything that the bundle makes AWS do, in one region.
type List struct {
	Region   string `json:"region"`
	Currency string `json:"currency"`
	// AsOf is the day when the prices were looked up, as 2006-01-02.
	AsOf   string           `json:"as_of"`
	Note   string           `json:"note"`
	Prices map[string]Price `json:"prices"`
}

// Price is what so many units cost.
type Price struct {
	USD    float64 `json:"usd"`
	Per    float64 `json:"per"`
	Unit   string  `json:"unit"`
	Source string  `json:"source"`
}

// Current is the list that this version comes with.
func Current() *List {
	var l List
	if err := json.Unmarshal(file, &l); err != nil {
		panic(fmt.Sprintf("prices.json: %v", err))
	}
	return &l
}

// Each is what one unit costs, in US dollars. It panics for a unit that is not
// on the list, which is a mistake in the program.
func (l *List) Each(unit string) float64 {
	p, there := l.Prices[unit]
	if !there {
		panic(fmt.Sprintf("prices.json has no price of %q", unit))
	}
	return p.USD / p.Per
}
