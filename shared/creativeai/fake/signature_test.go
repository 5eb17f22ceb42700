package fake_test

import (
	"testing"

	"github.com/clipqueue/clipqueue/shared/creativeai/fake"
)

// The vectors were made with OpenSSL 3 and again with Python's hmac, not with this code:
//
//	printf '%s' BODY | openssl dgst -sha256 -hmac KEY
func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	tests := []struct{ body, key, want string }{
		{
			`{"id":"gen_abc123","object":"video.generation","status":"completed"}`, "rph_live_vector_key",
			"sha256=a1c6e97dd193e32abff726e73c0bcdae0857bef3a47c1c6ae97d74066937cff2",
		},
		{"", "rph_live_vector_key", "sha256=0d4678af9cca556030c34c10ab89d7e5f07312ac8ee235bd5651c905f9d97c73"},
		{"caf\xc3\xa9\r\n\x00\xff", "k", "sha256=11afde03f9d33c3b169ad27deaf12a8c12ba3315a14f74c01494e1b1f6b23682"},
	}
	for _, tt := range tests {
		if got := fake.Signature([]byte(tt.body), tt.key); got != tt.want {
			t.Errorf("Signature(%q) = %s, want %s", tt.body, got, tt.want)
		}
	}
}
