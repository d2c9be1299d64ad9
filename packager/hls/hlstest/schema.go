package hlstest

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// A form is what the value of a tag looks like.
type form uint8

const (
	formNone    form = iota // no value
	formInteger             // a decimal-integer
	formAttrs               // an attribute-list
	formInf                 // <duration>,[<title>]
	formRange               // <n>[@<o>]
	formDate                // ISO 8601
	formEnum                // one of values
)

// A place says in which playlists a tag may stand.
type place uint8

const (
	anywhere place = iota
	inMedia
	inMultivariant
)

// A kind is the type of an attribute's value (section 4.2).
type kind uint8

const (
	kindString kind = iota // quoted
	kindEmpty              // quoted, may be empty
	kindDate               // quoted, ISO 8601
	kindRange              // quoted, <n>[@<o>]
	kindEnum               // unquoted, one of values
	kindInteger
	kindFloat
	kindSigned
	kindHex
	kindResolution
)

// An attrSpec describes an attribute.
type attrSpec struct {
	kind     kind
	required bool
	values   []string
}

// A tagSpec describes a tag.
type tagSpec struct {
	form   form
	place  place
	once   bool
	values []string
	attrs  map[string]attrSpec
}

var (
	yes       = attrSpec{kind: kindEnum, values: []string{"YES"}}
	yesNo     = attrSpec{kind: kindEnum, values: []string{"YES", "NO"}}
	optional  = attrSpec{kind: kindString}
	needed    = attrSpec{kind: kindString, required: true}
	seconds   = attrSpec{kind: kindFloat}
	number    = attrSpec{kind: kindInteger}
	byteRange = attrSpec{kind: kindRange}
	codec     = map[string]attrSpec{
		"BANDWIDTH": {kind: kindInteger, required: true}, "AVERAGE-BANDWIDTH": number, "SCORE": seconds,
		"CODECS": optional, "SUPPLEMENTAL-CODECS": optional, "RESOLUTION": {kind: kindResolution}, "FRAME-RATE": seconds,
		"HDCP-LEVEL":        {kind: kindEnum, values: []string{"TYPE-0", "TYPE-1", "NONE"}},
		"ALLOWED-CPC":       optional,
		"VIDEO-RANGE":       {kind: kindEnum, values: []string{"SDR", "HLG", "PQ"}},
		"REQ-VIDEO-LAYOUT":  optional,
		"STABLE-VARIANT-ID": optional,
		"AUDIO":             optional,
		"VIDEO":             optional,
		"SUBTITLES":         optional,
		"PATHWAY-ID":        optional,
		"NAME":              optional,
		"PROGRAM-ID":        number, // removed in version 6, still written
	}
)

// tags are the tags of the standard (section 4.4). Of the attributes of
// EXT-X-STREAM-INF, CLOSED-CAPTIONS is left out: it may be quoted or not.
var tags = map[string]tagSpec{
	"EXT-X-VERSION":              {form: formInteger, once: true},
	"EXT-X-INDEPENDENT-SEGMENTS": {once: true},
	"EXT-X-START":                {form: formAttrs, once: true, attrs: map[string]attrSpec{"TIME-OFFSET": {kind: kindSigned, required: true}, "PRECISE": yesNo}},
	"EXT-X-DEFINE": {form: formAttrs, attrs: map[string]attrSpec{
		"NAME": optional, "VALUE": {kind: kindEmpty}, "IMPORT": optional, "QUERYPARAM": optional,
	}},

	"EXT-X-TARGETDURATION":         {form: formInteger, place: inMedia, once: true},
	"EXT-X-MEDIA-SEQUENCE":         {form: formInteger, place: inMedia, once: true},
	"EXT-X-DISCONTINUITY-SEQUENCE": {form: formInteger, place: inMedia, once: true},
	"EXT-X-ENDLIST":                {place: inMedia, once: true},
	"EXT-X-PLAYLIST-TYPE":          {form: formEnum, place: inMedia, once: true, values: []string{"EVENT", "VOD"}},
	"EXT-X-I-FRAMES-ONLY":          {place: inMedia, once: true},
	"EXT-X-PART-INF":               {form: formAttrs, place: inMedia, once: true, attrs: map[string]attrSpec{"PART-TARGET": {kind: kindFloat, required: true}}},
	"EXT-X-SERVER-CONTROL": {form: formAttrs, place: inMedia, once: true, attrs: map[string]attrSpec{
		"CAN-SKIP-UNTIL": seconds, "CAN-SKIP-DATERANGES": yes, "HOLD-BACK": seconds, "PART-HOLD-BACK": seconds, "CAN-BLOCK-RELOAD": yes,
	}},

	"EXTINF":              {form: formInf, place: inMedia},
	"EXT-X-BYTERANGE":     {form: formRange, place: inMedia},
	"EXT-X-DISCONTINUITY": {place: inMedia},
	"EXT-X-KEY": {form: formAttrs, place: inMedia, attrs: map[string]attrSpec{
		"METHOD": {kind: kindEnum, required: true, values: []string{"NONE", "AES-128", "AES-256-GCM", "SAMPLE-AES", "SAMPLE-AES-CTR"}},
		"URI":    optional, "IV": {kind: kindHex}, "KEYFORMAT": optional, "KEYFORMATVERSIONS": optional,
	}},
	"EXT-X-MAP":               {form: formAttrs, place: inMedia, attrs: map[string]attrSpec{"URI": needed, "BYTERANGE": byteRange}},
	"EXT-X-PROGRAM-DATE-TIME": {form: formDate, place: inMedia},
	"EXT-X-GAP":               {place: inMedia},
	"EXT-X-BITRATE":           {form: formInteger, place: inMedia},
	"EXT-X-PART": {form: formAttrs, place: inMedia, attrs: map[string]attrSpec{
		"URI": needed, "DURATION": {kind: kindFloat, required: true}, "INDEPENDENT": yes, "BYTERANGE": byteRange, "GAP": yes,
	}},

	"EXT-X-DATERANGE": {form: formAttrs, place: inMedia, attrs: map[string]attrSpec{
		"ID": needed, "CLASS": optional, "START-DATE": {kind: kindDate}, "CUE": optional, "END-DATE": {kind: kindDate},
		"DURATION": seconds, "PLANNED-DURATION": seconds, "END-ON-NEXT": yes,
		"SCTE35-CMD": {kind: kindHex}, "SCTE35-OUT": {kind: kindHex}, "SCTE35-IN": {kind: kindHex},
	}},
	"EXT-X-SKIP": {form: formAttrs, place: inMedia, once: true, attrs: map[string]attrSpec{
		"SKIPPED-SEGMENTS": {kind: kindInteger, required: true}, "RECENTLY-REMOVED-DATERANGES": {kind: kindEmpty},
	}},
	"EXT-X-PRELOAD-HINT": {form: formAttrs, place: inMedia, attrs: map[string]attrSpec{
		"TYPE": {kind: kindEnum, required: true, values: []string{"PART", "MAP"}}, "URI": needed, "BYTERANGE-START": number, "BYTERANGE-LENGTH": number,
	}},
	"EXT-X-RENDITION-REPORT": {form: formAttrs, place: inMedia, attrs: map[string]attrSpec{"URI": optional, "LAST-MSN": number, "LAST-PART": number}},

	"EXT-X-MEDIA": {form: formAttrs, place: inMultivariant, attrs: map[string]attrSpec{
		"TYPE": {kind: kindEnum, required: true, values: []string{"AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"}},
		"URI":  optional, "GROUP-ID": needed, "LANGUAGE": optional, "ASSOC-LANGUAGE": optional, "NAME": needed, "STABLE-RENDITION-ID": optional,
		"DEFAULT": yesNo, "AUTOSELECT": yesNo, "FORCED": yesNo, "INSTREAM-ID": optional, "BIT-DEPTH": number, "SAMPLE-RATE": number,
		"CHARACTERISTICS": optional, "CHANNELS": optional,
	}},
	"EXT-X-STREAM-INF":         {form: formAttrs, place: inMultivariant, attrs: codec},
	"EXT-X-I-FRAME-STREAM-INF": {form: formAttrs, place: inMultivariant, attrs: codec},
	"EXT-X-SESSION-DATA": {form: formAttrs, place: inMultivariant, attrs: map[string]attrSpec{
		"DATA-ID": needed, "VALUE": optional, "URI": optional, "FORMAT": {kind: kindEnum, values: []string{"JSON", "RAW"}}, "LANGUAGE": optional,
	}},
	"EXT-X-SESSION-KEY": {form: formAttrs, place: inMultivariant, attrs: map[string]attrSpec{
		"METHOD": {kind: kindEnum, required: true, values: []string{"AES-128", "AES-256-GCM", "SAMPLE-AES", "SAMPLE-AES-CTR"}},
		"URI":    optional, "IV": {kind: kindHex}, "KEYFORMAT": optional, "KEYFORMATVERSIONS": optional,
	}},
	"EXT-X-CONTENT-STEERING": {form: formAttrs, place: inMultivariant, once: true, attrs: map[string]attrSpec{"SERVER-URI": needed, "PATHWAY-ID": optional}},
}

var (
	reInteger    = regexp.MustCompile(`^[0-9]{1,20}$`)
	reFloat      = regexp.MustCompile(`^([0-9]+\.?[0-9]*|\.[0-9]+)$`)
	reSigned     = regexp.MustCompile(`^-?([0-9]+\.?[0-9]*|\.[0-9]+)$`)
	reHex        = regexp.MustCompile(`^0[xX][0-9A-F]+$`)
	reResolution = regexp.MustCompile(`^[0-9]+x[0-9]+$`)
	reRange      = regexp.MustCompile(`^[0-9]+(@[0-9]+)?$`)
	reInf        = regexp.MustCompile(`^([0-9]+\.?[0-9]*|\.[0-9]+),`)
	// The zone and the fraction are a matter of another rule.
	reDate = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d(:?\d\d)?)?$`)
)

// valid reports whether value is of kind k.
func (s attrSpec) valid(a attribute) bool {
	if quoted := s.kind <= kindRange; quoted != a.quoted {
		return false
	}
	switch s.kind {
	case kindDate:
		return validDate(a.value)
	case kindRange:
		return reRange.MatchString(a.value)
	case kindInteger:
		return reInteger.MatchString(a.value)
	case kindFloat:
		return reFloat.MatchString(a.value)
	case kindSigned:
		return reSigned.MatchString(a.value)
	case kindHex:
		return reHex.MatchString(a.value)
	case kindResolution:
		return reResolution.MatchString(a.value)
	case kindEnum:
		return a.value != "" && !strings.ContainsAny(a.value, " \t")
	default:
		return true
	}
}

// valid reports whether the value of a tag has its form.
func (s tagSpec) valid(value string) bool {
	switch s.form {
	case formNone:
		return value == ""
	case formInteger:
		return reInteger.MatchString(value)
	case formInf:
		return reInf.MatchString(value)
	case formRange:
		return reRange.MatchString(value)
	case formDate:
		return validDate(value)
	case formEnum:
		return slices.Contains(s.values, value)
	default:
		return true
	}
}

func validDate(s string) bool {
	if !reDate.MatchString(s) {
		return false
	}
	_, err := time.Parse("2006-01-02T15:04:05", s[:len("2006-01-02T15:04:05")])
	return err == nil
}
