// Package version names the release that this source is, or will be.
package version

// Version is stamped into the functions' logs and user agents, the stack's
// description and the clipqueue command. It follows Semantic Versioning, and
// ends in "-dev" until it is released. It is the only place to change;
// CHANGELOG.md and the tag must agree with it.
const Version = "0.1.0-dev"
