package config

import (
	"strings"
	"testing"
)

func TestTLSConfig(t *testing.T) {
	for text, want := range map[string]struct{ listen, public, plain string }{
		"{}":                                                                                    {":8080", "http://localhost:8080", ""},
		"public: http://radio.example.org":                                                      {":8080", "http://radio.example.org", ""},
		"public: https://radio.example.org":                                                     {":443", "https://radio.example.org", ":80"},
		"public: https://radio.example.org/":                                                    {":443", "https://radio.example.org", ":80"},
		"public: https://radio.example.org:84":                                                  {":84", "https://radio.example.org:84", ":80"},
		"{public: https://radio.example.org, listen: ':8443'}":                                  {":8443", "https://radio.example.org", ":80"},
		"{public: https://radio.example.org, tls: {mode: 'off'}}":                               {":8080", "https://radio.example.org", ""},
		"{public: https://radio.example.org, tls: {plain: 'off'}}":                              {":443", "https://radio.example.org", "off"},
		"{public: https://radio.example.org, tls: {certificate: c, key: k}}":                    {":443", "https://radio.example.org", ":80"},
		"{public: https://radio.example.org, listen: ':8443', tls: {certificate: c, key: k}}":   {":8443", "https://radio.example.org", "off"},
		"tls: {mode: files, certificate: c, key: k}":                                            {":8080", "https://localhost:8080", "off"},
		"{public: 'https://192.0.2.1', tls: {acme: {directory: 'https://acme.example/dir'}}}":   {":443", "https://192.0.2.1", ":80"},
		"{public: https://cdn.example.org, tls: {names: [a.example.org], plain: '[::1]:80'}}":   {":443", "https://cdn.example.org", "[::1]:80"},
		"{public: https://localhost:1, tls: {acme: {directory: 'https://acme.localhost/dir'}}}": {":1", "https://localhost:1", ":80"},
	} {
		c, err := load(t, text)
		if err != nil || c.Listen != want.listen || c.Public != want.public || c.TLS.Plain != want.plain {
			t.Errorf("%s: listen %q, public %q, plain %q, %v; want %v", text, c.Listen, c.Public, c.TLS.Plain, err, want)
		}
	}
}

func TestTLSConfigErrors(t *testing.T) {
	for text, want := range map[string]string{
		"tls: {mode: on}":                                                            `tls.mode "on": use auto, files or off`,
		"tls: {mode: files}":                                                         "tls.mode files: name tls.certificate and tls.key",
		"tls: {mode: files, certificate: c}":                                         "tls.certificate and tls.key: name both or neither",
		"{public: https://example.org, tls: {key: k}}":                               "name both or neither",
		"{public: http://example.org, tls: {certificate: c, key: k}}":                `public "http://example.org": with a certificate it begins with https://`,
		"{public: https://example.org, tls: {plain: '80'}}":                          `tls.plain "80": write host:port, :port or off`,
		"{public: https://example.org, tls: {names: ['https://example.org']}}":       `tls.names "https://example.org": write a host`,
		"{public: https://example.org, tls: {names: ['*.example.org']}}":             `tls.names "*.example.org": write a host`,
		"{public: https://example.org, tls: {acme: {directory: acme.example}}}":      `tls.acme.directory "acme.example": write the whole address`,
		"public: https://localhost":                                                  "no public authority gives a certificate for localhost",
		"public: https://192.168.1.10":                                               "no public authority gives a certificate for 192.168.1.10",
		"{public: https://example.org, tls: {certificate: c, key: k, email: x@y.z}}": `unknown key "email"`,
	} {
		_, err := load(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
