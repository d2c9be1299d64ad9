package hls

import (
	"math"
	"strconv"
	"time"
)

// appendSeconds writes d in seconds as a decimal-floating-point (section 4.2):
// exact, with at least one decimal and no needless zeros. A negative duration has
// no spelling and is written as zero.
func appendSeconds(dst []byte, d time.Duration) []byte {
	d = max(d, 0)
	dst = strconv.AppendInt(dst, int64(d/time.Second), 10)
	dst = append(dst, '.')
	rest := int64(d % time.Second)
	if rest == 0 {
		return append(dst, '0')
	}
	for unit := int64(time.Second) / 10; rest > 0; unit /= 10 {
		dst = append(dst, byte('0'+rest/unit))
		rest %= unit
	}
	return dst
}

// maxSeconds bounds the durations that are read: some 30 years.
const maxSeconds = 1_000_000_000

// parseSeconds reads a decimal-floating-point or a decimal-integer (section 4.2).
// It is exact to a nanosecond; what is finer is rounded.
func parseSeconds(s string) (time.Duration, bool) {
	var whole, frac int64
	i := 0
	for ; i < len(s) && isDigit(s[i]); i++ {
		if whole = whole*10 + int64(s[i]-'0'); whole > maxSeconds {
			return 0, false
		}
	}
	digits := i
	if i < len(s) && s[i] == '.' {
		first := i + 1
		unit := int64(time.Second) / 10
		for i++; i < len(s) && isDigit(s[i]); i++ {
			frac += int64(s[i]-'0') * unit
			unit /= 10
			if i == first+9 && s[i] >= '5' {
				frac++
			}
		}
		digits += i - first
	}
	if i < len(s) || digits == 0 {
		return 0, false
	}
	return time.Duration(whole)*time.Second + time.Duration(frac), true
}

// parseInt reads a decimal-integer (section 4.2) that an int64 can hold.
func parseInt(s string) (int64, bool) {
	if s == "" || len(s) > 20 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		d := int64(s[i] - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// appendTime writes t in UTC as YYYY-MM-DDThh:mm:ss.SSSZ (section 4.4.4.6), with
// more digits where milliseconds do not do.
func appendTime(dst []byte, t time.Time) []byte {
	sec, nano := t.Unix(), int64(t.Nanosecond())
	days := sec / 86400
	clock := sec % 86400
	if clock < 0 {
		days, clock = days-1, clock+86400
	}
	year, month, day := civil(days)
	dst = appendPadded(dst, year, 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, month, 2)
	dst = append(dst, '-')
	dst = appendPadded(dst, day, 2)
	dst = append(dst, 'T')
	dst = appendPadded(dst, clock/3600, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, clock/60%60, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, clock%60, 2)
	dst = append(dst, '.')
	dst = appendPadded(dst, nano/1e6, 3)
	unit := int64(1e5)
	for rest := nano % 1e6; rest > 0; unit /= 10 {
		dst = append(dst, byte('0'+rest/unit))
		rest %= unit
	}
	return append(dst, 'Z')
}

// civil turns days since the Unix epoch into a date of the Gregorian calendar. It
// counts from 1 March of year 0, so that the leap day ends a year.
func civil(days int64) (year, month, day int64) {
	const era = 146_097 // days in 400 years
	days += 719_468     // from 0000-03-01 to 1970-01-01
	eras := days / era
	if days < 0 {
		eras = (days - era + 1) / era
	}
	d := days - eras*era
	y := (d - d/1460 + d/36_524 - d/146_096) / 365
	d -= 365*y + y/4 - y/100
	m := (5*d + 2) / 153
	day = d - (153*m+2)/5 + 1
	month = m + 3
	year = y + eras*400
	if month > 12 {
		month, year = month-12, year+1
	}
	return year, month, day
}

func appendPadded(dst []byte, n int64, width int) []byte {
	for unit := pow10[width-1]; unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+n/unit%10))
	}
	return dst
}

var pow10 = [...]int64{1, 10, 100, 1000}

// The spellings of an ISO 8601 date and time that encoders use. Parsing accepts
// fractions of a second in each.
var timeLayouts = [...]string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05Z07",
	"2006-01-02T15:04:05", // without a zone: UTC (section 4.4.4.6)
}

// parseTime reads an ISO 8601 date and time. Years that could not be written again
// are refused.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		t = t.UTC()
		return t, t.Year() >= 1 && t.Year() <= 9999 && !t.IsZero()
	}
	return time.Time{}, false
}
