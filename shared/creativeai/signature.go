package creativeai

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// SignatureHeader carries a callback's signature: "sha256=" and the HMAC-SHA256
// of the body, keyed with the API key, in 64 lower-case hex digits.
const SignatureHeader = "X-CreativeAI-Signature"

var (
	// ErrSignature means that a signature is absent, malformed or not of any key given.
	ErrSignature = errors.New("creativeai: the callback's signature does not fit")
	// ErrNoKey means that there is no key to verify with: what an empty key signs,
	// anybody can sign.
	ErrNoKey = errors.New("creativeai: no API key to verify callbacks with")
)

// Verify checks a callback's signature header against its body, byte for byte
// as it was received, under each key in turn: the current one, then the one
// before it. White space around a key is trimmed and an empty key skipped. It
// returns [ErrNoKey] if no key is left, and [ErrSignature] unless the header is
// exactly what one of the keys makes: upper-case hex, spaces, several
// signatures or another algorithm do not fit. Comparing takes the same time
// whatever differs.
func Verify(body []byte, header string, keys ...string) error {
	none := true
	for _, key := range keys {
		key = strings.TrimSpace(key)
		if key == "" {
			continue
		}
		none = false
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		if hmac.Equal([]byte(header), []byte("sha256="+hex.EncodeToString(mac.Sum(nil)))) {
			return nil
		}
	}
	if none {
		return ErrNoKey
	}
	return ErrSignature
}
