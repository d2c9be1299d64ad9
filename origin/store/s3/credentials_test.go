package s3_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"longwave/origin/store"
	"longwave/origin/store/storetest/s3server"
)

// TestKeysAreRenewed: keys that become wrong are refused, with what to do, and as soon
// as the file is right again the store works; a file that is broken for a moment
// changes nothing.
func TestKeysAreRenewed(t *testing.T) {
	srv := s3server.Start(t)
	o := options(t, srv)
	o.CredentialsFile = filepath.Join(t.TempDir(), "credentials")
	write := func(text string) {
		if err := os.WriteFile(o.CredentialsFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys := func(secret string) string {
		return fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", srv.AccessKey, secret)
	}
	write(keys("wrong"))
	s := open(t, o)
	put := func(i int) error {
		_, err := s.PutIf(t.Context(), store.Private("key", fmt.Sprint(i)), []byte("{}"), store.Always)
		return err
	}
	if err := put(1); !errors.Is(err, store.ErrRefused) {
		t.Fatalf("wrong keys: %v", err)
	}
	write(keys(srv.SecretKey))
	if err := put(2); err != nil {
		t.Fatalf("right keys: %v", err)
	}
	write("[default]\naws_access_key_id = half")
	if err := put(3); err != nil {
		t.Fatalf("half a file: %v", err)
	}
	write(keys("wrong again"))
	if err := put(4); err != nil { // not looked at yet
		t.Fatal(err)
	}
}
