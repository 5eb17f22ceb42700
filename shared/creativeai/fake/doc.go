// Package fake is a CreativeAI vendor for tests and demonstrations.
package fake
