// Package videos brings a finished video from the vendor's link to the user's
// bucket. [Fetcher] downloads and trusts nobody: not the link, not where it
// redirects to, not what names resolve to, not what the server says of the
// bytes. [Bucket] streams to S3. Neither ever holds a video in memory.
package videos

import "fmt"

// Code is the kind of a [Problem]; consumers read it in the archive-failed event.
type Code string

// The kinds of problems.
const (
	// BadURL is a link that is no absolute URL, or that holds credentials.
	BadURL Code = "bad_url"
	// NotHTTPS is a link, or a redirect, to another scheme than https.
	NotHTTPS Code = "not_https"
	// ForbiddenAddress is a link, a redirect or a name that leads to an address
	// which is not on the public internet, or is written as a bare IP address, or
	// has another port than 443.
	ForbiddenAddress Code = "forbidden_address"
	// TooManyRedirects is a link that was redirected more than 5 times.
	TooManyRedirects Code = "too_many_redirects"
	// NotFound is a 404.
	NotFound Code = "not_found"
	// Gone is a 410.
	Gone Code = "gone"
	// Forbidden is a 401 or 403, which is also what an outlived link answers.
	Forbidden Code = "forbidden"
	// Refused is any other 4xx that no wait helps against.
	Refused Code = "refused"
	// WrongType is an answer that is no video, by its content type or its first bytes.
	WrongType Code = "wrong_type"
	// TooLarge is a video over the size limit.
	TooLarge Code = "too_large"
	// Encoded is a compressed answer, which was not asked for.
	Encoded Code = "encoded"
	// WrongLength is a video with more or fewer bytes than the server announced.
	WrongLength Code = "wrong_length"
	// Timeout is a server that is too slow to answer, or to send.
	Timeout Code = "timeout"
	// Unavailable is a server that cannot be reached, breaks off, or says that it cannot answer now.
	Unavailable Code = "unavailable"
	// KeyTaken is a video of another generation that lies where this one should.
	KeyTaken Code = "key_taken"
)

// Outlook says whether another try can help.
type Outlook int

const (
	// Passing is a problem of now: try again later.
	Passing Outlook = iota
	// Doubtful is a problem that may pass: try a few times, then take it as final.
	Doubtful
	// Final is a problem for good.
	Final
)

// Problem is why a video cannot be had.
type Problem struct { //nolint:errname // it is read as videos.Problem, and is data before it is an error
	Code Code
	// Message says what is wrong, for the people who get the event.
	Message string
	Outlook Outlook
}

func (p *Problem) Error() string { return p.Message }

func problem(code Code, o Outlook, format string, args ...any) *Problem {
	return &Problem{Code: code, Outlook: o, Message: fmt.Sprintf(format, args...)}
}
