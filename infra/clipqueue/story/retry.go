package story

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// maxID is the length of the longest job_id.
const maxID = 64

// RetryID names the nth retry of a job, from 2 on: <job_id>-r<n>. An id that
// would become too long is cut, and ends in a part of its hash.
func RetryID(id string, n int) string {
	old, _, ok := RetryOf(id)
	if !ok {
		old = id
	}
	suffix := "-r" + strconv.Itoa(n)
	if len(old)+len(suffix) <= maxID {
		return old + suffix
	}
	sum := sha256.Sum256([]byte(old))
	mark := "-" + hex.EncodeToString(sum[:4])
	return old[:maxID-len(suffix)-len(mark)] + mark + suffix
}

// RetryOf reads a name that [RetryID] made: the job it retries, and which retry it is.
func RetryOf(id string) (old string, n int, ok bool) {
	at := strings.LastIndex(id, "-r")
	if at <= 0 {
		return "", 0, false
	}
	n, err := strconv.Atoi(id[at+len("-r"):])
	if err != nil || n < 2 || fmt.Sprintf("%s-r%d", id[:at], n) != id {
		return "", 0, false
	}
	return id[:at], n, true
}
