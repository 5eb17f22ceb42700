package stack

// Version is the release of Clipqueue, stamped into logs and the user agent.
const Version = "0.1.0"
