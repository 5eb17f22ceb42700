package creativeai_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/clipqueue/clipqueue/shared/creativeai"
)

// vector is what `openssl dgst -sha256 -hmac rph_live_test_vector_0001` makes of
// testdata/callbacks/completed.json.
const vector = "14e62a88511440975b4665ad434a3f85a830a193856c10f0159d093e7502f8dc"

func sign(key string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestVerifyVector(t *testing.T) {
	t.Parallel()
	body := readFile(t, "callbacks/completed.json")
	if err := creativeai.Verify(body, "sha256="+vector, key); err != nil {
		t.Error(err)
	}
}

// Each case starts from a callback that verifies, and spoils one thing.
func TestVerify(t *testing.T) {
	t.Parallel()
	body := readFile(t, "callbacks/completed.json")
	good := "sha256=" + vector
	keys := func(keys ...string) []string { return keys }
	tests := []struct {
		name   string
		body   []byte
		header string
		keys   []string
		want   error
	}{
		{"current key", body, good, keys(key, "older"), nil},
		{"previous key", body, good, keys("newer", key), nil},
		{"the same key twice", body, good, keys(key, key), nil},
		{"space around the key", body, good, keys(" \t" + key + "\r\n"), nil},
		{"an empty current key", body, good, keys("", key), nil},
		{"an empty previous key", body, good, keys(key, ""), nil},

		{"no header", body, "", keys(key), creativeai.ErrSignature},
		{"older still", body, good, keys("newest", "newer"), creativeai.ErrSignature},
		{"key with a space inside", body, good, keys(key[:4] + " " + key[4:]), creativeai.ErrSignature},
		{"one bit of the body", append([]byte{body[0] ^ 1}, body[1:]...), good, keys(key), creativeai.ErrSignature},
		{"without the last newline", body[:len(body)-1], good, keys(key), creativeai.ErrSignature},
		{"CRLF at the end", append(body[:len(body)-1:len(body)-1], "\r\n"...), good, keys(key), creativeai.ErrSignature},
		{"byte order mark", append([]byte("\ufeff"), body...), good, keys(key), creativeai.ErrSignature},
		{"empty body", nil, good, keys(key), creativeai.ErrSignature},
		{"no prefix", body, vector, keys(key), creativeai.ErrSignature},
		{"prefix alone", body, "sha256=", keys(key), creativeai.ErrSignature},
		{"sha1", body, "sha1=" + vector, keys(key), creativeai.ErrSignature},
		{"SHA256", body, "SHA256=" + vector, keys(key), creativeai.ErrSignature},
		{"upper-case hex", body, "sha256=" + strings.ToUpper(vector), keys(key), creativeai.ErrSignature},
		{"odd hex", body, good[:len(good)-1], keys(key), creativeai.ErrSignature},
		{"one byte short", body, good[:len(good)-2], keys(key), creativeai.ErrSignature},
		{"one byte long", body, good + "00", keys(key), creativeai.ErrSignature},
		{"no hex", body, "sha256=" + strings.Repeat("z", 64), keys(key), creativeai.ErrSignature},
		{"zeros", body, "sha256=" + strings.Repeat("0", 64), keys(key), creativeai.ErrSignature},
		{"space before", body, " " + good, keys(key), creativeai.ErrSignature},
		{"space after", body, good + " ", keys(key), creativeai.ErrSignature},
		{"space inside", body, "sha256= " + vector, keys(key), creativeai.ErrSignature},
		{"quoted", body, `"` + good + `"`, keys(key), creativeai.ErrSignature},
		{"twice, joined by a comma", body, good + "," + good, keys(key), creativeai.ErrSignature},
		{"first of two", body, good + ", sha256=" + strings.Repeat("0", 64), keys(key), creativeai.ErrSignature},
		{"second of two", body, "sha256=" + strings.Repeat("0", 64) + ", " + good, keys(key), creativeai.ErrSignature},

		{"no key at all", body, good, nil, creativeai.ErrNoKey},
		{"signed with the empty key", body, sign("", body), keys("", ""), creativeai.ErrNoKey},
		{"signed with the empty key, one key set", body, sign("", body), keys(key, ""), creativeai.ErrSignature},
		{"signed with a blank key", body, sign(" \n", body), keys(" \n", "\t"), creativeai.ErrNoKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := creativeai.Verify(tt.body, tt.header, tt.keys...); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// A signature fits its own body under its own key, and nothing else.
func FuzzVerify(f *testing.F) {
	f.Add(readFile(f, "callbacks/completed.json"), "k", 3, "sha256="+vector)
	f.Add([]byte("\xff\xfe\r\n"), " k\n", 0, "")
	f.Add([]byte{}, "", 0, "sha256=")
	f.Fuzz(func(t *testing.T, body []byte, key string, at int, header string) {
		trimmed := strings.TrimSpace(key)
		if trimmed == "" {
			if err := creativeai.Verify(body, sign(key, body), key); !errors.Is(err, creativeai.ErrNoKey) {
				t.Fatalf("an empty key verified: %v", err)
			}
			return
		}
		good := sign(trimmed, body)
		if err := creativeai.Verify(body, good, "other"+trimmed, key); err != nil {
			t.Errorf("its own signature: %v", err)
		}
		if header != good && creativeai.Verify(body, header, key) == nil {
			t.Errorf("%q verified", header)
		}
		if creativeai.Verify(append(slices.Clip(body), 0), good, key) == nil {
			t.Error("a longer body verified")
		}
		if creativeai.Verify(body, good, trimmed+"x") == nil {
			t.Error("another key verified")
		}
		if len(body) == 0 {
			return
		}
		altered := append([]byte(nil), body...)
		altered[uint(at)%uint(len(body))] ^= 1 << (uint(at) % 8)
		if creativeai.Verify(altered, good, key) == nil {
			t.Error("an altered body verified")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	body := readFile(b, "callbacks/completed.json")
	for b.Loop() {
		if err := creativeai.Verify(body, "sha256="+vector, key, "older"); err != nil {
			b.Fatal(err)
		}
	}
}
