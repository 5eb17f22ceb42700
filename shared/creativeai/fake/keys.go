package fake

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // G505: a wrong signature that receivers must refuse
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// keyring holds the account's keys. An empty previous key is none.
type keyring struct{ current, previous string }

// SetKeys replaces the account's keys. previous is accepted beside current while it is not empty.
func (v *Vendor) SetKeys(current, previous string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys = keyring{current: current, previous: previous}
}

// Keys as they are named in the ledger, which never holds a key itself.
const (
	keyCurrent  = "current"
	keyPrevious = "previous"
	keyUnknown  = "unknown"
	keyAbsent   = "absent"
)

// bearer finds out which key a request brought: its name, and the key itself if it is a valid one.
func (v *Vendor) bearer(header http.Header) (name, key string) {
	key, found := strings.CutPrefix(header.Get("Authorization"), "Bearer ")
	if !found || key == "" {
		return keyAbsent, ""
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch key {
	case v.keys.current:
		return keyCurrent, key
	case v.keys.previous:
		return keyPrevious, key
	}
	return keyUnknown, ""
}

// Signature returns the value of X-CreativeAI-Signature for a callback's raw body.
func Signature(body []byte, key string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Ways to sign: the choices of the faults callback-signature and callback-forged.
const signings = "right|wrong|other-key|current-key|previous-key|empty-key|none|upper|sha1|bare|spaces|short|odd|twice|comma"

// signing returns the values of the signature header, signed the given way.
func signing(how string, body []byte, key string, keys keyring) []string {
	right := Signature(body, key)
	switch how {
	case "wrong":
		return []string{Signature(append([]byte("x"), body...), key)}
	case "other-key":
		return []string{Signature(body, "some-other-accounts-key")}
	case "current-key":
		return []string{Signature(body, keys.current)}
	case "previous-key":
		return []string{Signature(body, keys.previous)}
	case "empty-key":
		return []string{Signature(body, "")}
	case "none":
		return nil
	case "upper":
		return []string{"sha256=" + strings.ToUpper(right[len("sha256="):])}
	case "sha1":
		mac := hmac.New(sha1.New, []byte(key))
		mac.Write(body)
		return []string{"sha1=" + hex.EncodeToString(mac.Sum(nil))}
	case "bare":
		return []string{right[len("sha256="):]}
	case "spaces":
		return []string{"sha256= " + right[len("sha256="):]}
	case "short":
		return []string{right[:len(right)-2]}
	case "odd":
		return []string{right[:len(right)-1]}
	case "twice":
		return []string{right, right}
	case "comma":
		return []string{right + ", " + right}
	}
	return []string{right}
}
