// Package token makes and reads the keys that open the gate: signed, bound to a
// station, a role and an expiry, and at most 64 printable characters, because
// that is what the password field of an encoder takes.
//
// A token carries everything it says; there is no table to look it up in. What
// can be looked up is whether its ID was revoked.
//
// Layout, base64url without padding (RFC 4648 section 5):
//
//	1 byte   version (high nibble, now 1) and role (low nibble)
//	1 byte   flags: 1 music, 2 feed; bits 2 to 4 the priority in its group
//	4 bytes  expiry, seconds since 2020-01-01 UTC; 0xffffffff means never
//	4 bytes  ID, random
//	n bytes  station, a zero byte, name; with a group one more zero byte and the
//	         group (n <= 26)
//	12 bytes HMAC-SHA-256 of all before it, cut to 96 bits (RFC 2104 section 5)
//
// This package does not encrypt: whoever holds a token can read it. It does not
// know which tokens were revoked.
package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Errors of [Signer.Parse].
var (
	// ErrInvalid means that the text is not a token of this signer.
	ErrInvalid = errors.New("not a token of this server")
	// ErrExpired means a true token whose time has passed.
	ErrExpired = errors.New("token expired")
)

// A Role says what a token is for.
type Role uint8

// The roles. Their numbers are part of every token: never renumber.
const (
	Host Role = iota + 1
	Speaker
	Captioner
	Origin
)

var roles = map[Role]string{Host: "host", Speaker: "speaker", Captioner: "captioner", Origin: "origin"}

func (r Role) String() string { return roles[r] }

// ParseRole is the inverse of [Role.String].
func ParseRole(s string) (Role, error) {
	for r, name := range roles {
		if name == s {
			return r, nil
		}
	}
	return 0, fmt.Errorf("unknown role %q: use host, speaker, captioner or origin", s)
}

// A Token is what a key says.
type Token struct {
	ID      string // 8 hexadecimal digits, given by [Signer.Sign]
	Station string
	Role    Role
	Name    string    // of the speaker, shown to host and audience
	Expires time.Time // zero: never

	// Music wants the sound as it is: stereo, 128 kbit/s, no work on the voice.
	Music bool
	// Feed is a finished programme, as OBS or a playout sends it: it is not
	// levelled like a voice.
	Feed bool
	// Group names feeds that carry the same sound; of a group one is on air. Empty:
	// this one stands alone.
	Group string
	// Priority in the group, 0 to [MaxPriority]: the lowest healthy one is taken.
	Priority int
}

// MaxPriority is the last place in a group.
const MaxPriority = 7

const (
	flagMusic, flagFeed = 1, 2
	priorityShift       = 2
)

const (
	version    = 1
	headLen    = 10
	macLen     = 12
	maxLen     = 48 // bytes: 64 characters of base64url
	maxText    = maxLen - headLen - macLen
	neverBytes = 0xffffffff
)

var epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// A Signer makes and reads tokens with one secret.
type Signer struct{ secret []byte }

// NewSigner returns a signer; secret must have at least 16 bytes.
func NewSigner(secret []byte) (*Signer, error) {
	if len(secret) < 16 {
		return nil, fmt.Errorf("token secret has %d bytes, 16 are needed", len(secret))
	}
	return &Signer{secret: secret}, nil
}

// Sign returns t as text, with a new random ID. Station and name must fit in 25
// bytes together, with a group station, name and group in 24.
func (s *Signer) Sign(t Token) (string, error) {
	if _, ok := roles[t.Role]; !ok {
		return "", fmt.Errorf("sign token: unknown role %d", t.Role)
	}
	if err := t.check(); err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	b := make([]byte, headLen, maxLen)
	b[0], b[1] = version<<4|byte(t.Role), t.flags()
	exp := uint32(neverBytes)
	if !t.Expires.IsZero() {
		d := t.Expires.Unix() - epoch.Unix()
		if d < 0 || d >= neverBytes {
			return "", fmt.Errorf("sign token: expiry %s is out of range", t.Expires)
		}
		exp = uint32(d)
	}
	binary.BigEndian.PutUint32(b[2:], exp)
	rand.Read(b[6:headLen]) // never fails: see crypto/rand
	b = append(b, t.text()...)
	b = append(b, s.mac(b)...)
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// Parse reads text and checks it against now. The token is returned with
// ErrExpired too, so that a log can say whose it was. The comparison takes the
// same time for every wrong text of a length.
func (s *Signer) Parse(text string, now time.Time) (Token, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < headLen+1+macLen || len(b) > maxLen {
		return Token{}, ErrInvalid
	}
	body, mac := b[:len(b)-macLen], b[len(b)-macLen:]
	if !hmac.Equal(mac, s.mac(body)) || body[0]>>4 != version {
		return Token{}, ErrInvalid
	}
	station, rest, found := strings.Cut(string(body[headLen:]), "\x00")
	name, group, _ := strings.Cut(rest, "\x00")
	flags := body[1]
	t := Token{
		ID: hex.EncodeToString(body[6:headLen]), Station: station, Role: Role(body[0] & 15), Name: name,
		Music: flags&flagMusic != 0, Feed: flags&flagFeed != 0, Group: group, Priority: int(flags >> priorityShift & MaxPriority),
	}
	if _, ok := roles[t.Role]; !ok || !found {
		return Token{}, ErrInvalid
	}
	if exp := binary.BigEndian.Uint32(body[2:]); exp != neverBytes {
		t.Expires = epoch.Add(time.Duration(exp) * time.Second)
		if !now.Before(t.Expires) {
			return t, ErrExpired
		}
	}
	return t, nil
}

func (s *Signer) mac(b []byte) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write(b)
	return h.Sum(nil)[:macLen]
}

func (t Token) flags() byte {
	f := byte(t.Priority) << priorityShift
	if t.Music {
		f |= flagMusic
	}
	if t.Feed {
		f |= flagFeed
	}
	return f
}

func (t Token) text() string {
	s := t.Station + "\x00" + t.Name
	if t.Group != "" {
		s += "\x00" + t.Group
	}
	return s
}

func (t Token) check() error {
	if t.Station == "" {
		return errors.New("a token needs a station")
	}
	for _, s := range []string{t.Name, t.Group} {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return errors.New("a name must be text without control characters")
		}
	}
	if t.Priority < 0 || t.Priority > MaxPriority || t.Priority > 0 && t.Group == "" {
		return fmt.Errorf("priority %d: use 0 to %d, in a group", t.Priority, MaxPriority)
	}
	if n := len(t.text()) - maxText; n > 0 {
		return fmt.Errorf("station %q, name %q and group %q are %d bytes too long together: a token must fit in an encoder's password field", t.Station, t.Name, t.Group, n)
	}
	return nil
}
