package funcs

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"holdfast/sql/errs"
)

// encode and decode turn bytes into text and back.

func unknownEncoding(name string) error {
	return errs.New(errs.InvalidParameterValue, "unrecognized encoding: \"%s\"", name)
}

func encode(data, format string) (string, error) {
	switch strings.ToLower(format) {
	case "hex":
		return hex.EncodeToString([]byte(data)), nil
	case "base64":
		const line = 76
		text := base64.StdEncoding.EncodeToString([]byte(data))
		var b strings.Builder
		for ; len(text) > line; text = text[line:] {
			b.WriteString(text[:line])
			b.WriteByte('\n')
		}
		b.WriteString(text)
		return b.String(), nil
	case "escape":
		var b strings.Builder
		for i := range len(data) {
			switch c := data[i]; {
			case c == 0 || c >= utf8.RuneSelf:
				b.Write([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
			case c == '\\':
				b.WriteString(`\\`)
			default:
				b.WriteByte(c)
			}
		}
		return b.String(), nil
	}
	return "", unknownEncoding(format)
}

func decode(text, format string) (string, error) {
	switch strings.ToLower(format) {
	case "hex":
		return decodeHex(text)
	case "base64":
		return decodeBase64(text)
	case "escape":
		return decodeEscape(text)
	}
	return "", unknownEncoding(format)
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func decodeHex(text string) (string, error) {
	digit := func(i int) (byte, error) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			return c - '0', nil
		case c >= 'a' && c <= 'f':
			return c - 'a' + 10, nil
		case c >= 'A' && c <= 'F':
			return c - 'A' + 10, nil
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		return 0, errs.New(errs.InvalidParameterValue, "invalid hexadecimal digit: \"%s\"", text[i:i+size])
	}
	b := make([]byte, 0, len(text)/2)
	for i := 0; i < len(text); i++ {
		if isSpace(text[i]) {
			continue
		}
		hi, err := digit(i)
		if err != nil {
			return "", err
		}
		i++
		if i >= len(text) {
			return "", errs.New(errs.InvalidParameterValue, "invalid hexadecimal data: odd number of digits")
		}
		lo, err := digit(i)
		if err != nil {
			return "", err
		}
		b = append(b, hi<<4|lo)
	}
	return string(b), nil
}

// decodeBase64 skips white space and takes the padding as PostgreSQL does: a group of four may end in one or
// two =, and nothing may be missing.
func decodeBase64(text string) (string, error) {
	var b []byte
	group, have, pads := uint32(0), 0, 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if isSpace(c) {
			continue
		}
		value := byte(0)
		switch {
		case c >= 'A' && c <= 'Z':
			value = c - 'A'
		case c >= 'a' && c <= 'z':
			value = c - 'a' + 26
		case c >= '0' && c <= '9':
			value = c - '0' + 52
		case c == '+':
			value = 62
		case c == '/':
			value = 63
		case c == '=':
			if pads == 0 {
				switch have {
				case 2:
					pads = 1
				case 3:
					pads = 2
				default:
					return "", errs.New(errs.InvalidParameterValue, "unexpected \"=\" while decoding base64 sequence")
				}
			}
		default:
			_, size := utf8.DecodeRuneInString(text[i:])
			return "", errs.New(errs.InvalidParameterValue, "invalid symbol \"%s\" found while decoding base64 sequence", text[i:i+size])
		}
		group = group<<6 | uint32(value)
		if have++; have == 4 {
			b = append(b, byte(group>>16))
			if pads == 0 || pads > 1 {
				b = append(b, byte(group>>8))
			}
			if pads == 0 || pads > 2 {
				b = append(b, byte(group))
			}
			group, have = 0, 0
		}
	}
	if have != 0 {
		return "", errs.New(errs.InvalidParameterValue, "invalid base64 end sequence").
			WithHint("Input data is missing padding, is truncated, or is otherwise corrupted.")
	}
	return string(b), nil
}

func decodeEscape(text string) (string, error) {
	b := make([]byte, 0, len(text))
	octal := func(i int, top byte) bool { return i < len(text) && text[i] >= '0' && text[i] <= top }
	for i := 0; i < len(text); {
		switch {
		case text[i] != '\\':
			b = append(b, text[i])
			i++
		case octal(i+1, '3') && octal(i+2, '7') && octal(i+3, '7'):
			b = append(b, (text[i+1]-'0')<<6|(text[i+2]-'0')<<3|(text[i+3]-'0'))
			i += 4
		case i+1 < len(text) && text[i+1] == '\\':
			b = append(b, '\\')
			i += 2
		default:
			return "", errs.New(errs.InvalidTextRepresentation, "invalid input syntax for type %s", "bytea")
		}
	}
	return string(b), nil
}

// Character sets for convert, convert_from and convert_to, by PostgreSQL's names without their punctuation.
var charsets = map[string]*charmap.Charmap{
	"latin1": charmap.ISO8859_1, "iso88591": charmap.ISO8859_1, "latin2": charmap.ISO8859_2, "iso88592": charmap.ISO8859_2,
	"latin9": charmap.ISO8859_15, "iso885915": charmap.ISO8859_15, "win1250": charmap.Windows1250, "windows1250": charmap.Windows1250,
	"win1251": charmap.Windows1251, "windows1251": charmap.Windows1251, "win1252": charmap.Windows1252, "windows1252": charmap.Windows1252,
	"koi8r": charmap.KOI8R, "koi8": charmap.KOI8R,
}

// charset finds a character set; nil for UTF-8.
func charset(name, role string) (*charmap.Charmap, error) {
	key := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	if key == "utf8" || key == "unicode" {
		return nil, nil
	}
	if c := charsets[key]; c != nil {
		return c, nil
	}
	return nil, errs.New(errs.InvalidParameterValue, "invalid %s encoding name \"%s\"", role, name)
}

func fromCharset(data, name string) (string, error) {
	c, err := charset(name, "source")
	if err != nil {
		return "", err
	}
	if c == nil {
		return checkUTF8(data)
	}
	text, err := c.NewDecoder().String(data)
	if err != nil || strings.ContainsRune(text, utf8.RuneError) {
		return "", errs.New(errs.UntranslatableCharacter, "character in encoding \"%s\" has no equivalent in encoding \"UTF8\"", strings.ToUpper(name))
	}
	return text, nil
}

func toCharset(text, name string) (string, error) {
	c, err := charset(name, "destination")
	if err != nil || c == nil {
		return text, err
	}
	b := make([]byte, 0, len(text))
	for _, r := range text {
		e, ok := c.EncodeRune(r)
		if !ok {
			return "", errs.New(errs.UntranslatableCharacter, "character with byte sequence %s in encoding \"UTF8\" has no equivalent in encoding \"%s\"",
				hexBytes(string(r)), strings.ToUpper(name))
		}
		b = append(b, e)
	}
	return string(b), nil
}

func checkUTF8(s string) (string, error) {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || r == 0 {
			n := 1
			if c := s[i]; c >= 0xF0 {
				n = 4
			} else if c >= 0xE0 {
				n = 3
			} else if c >= 0xC0 {
				n = 2
			}
			return "", errs.New(errs.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": %s", hexBytes(s[i:min(i+n, len(s))]))
		}
		i += size
	}
	return s, nil
}

func hexBytes(s string) string {
	var parts []string
	for i := range len(s) {
		parts = append(parts, "0x"+hex.EncodeToString([]byte{s[i]}))
	}
	return strings.Join(parts, " ")
}

func encodingFuncs() kernels {
	return kernels{
		"binary_encode": lift2(encode), "binary_decode": lift2(decode),
		"pg_convert_from": lift2(fromCharset), "pg_convert_to": lift2(toCharset),
		"pg_convert": lift3(func(data, from, to string) (string, error) {
			text, err := fromCharset(data, from)
			if err != nil {
				return "", err
			}
			return toCharset(text, to)
		}),
		"length_in_encoding": lift2(func(data, name string) (int64, error) {
			text, err := fromCharset(data, name)
			return charLen(text), err
		}),
		"getdatabaseencoding": lift0(func(*Ctx) (string, error) { return "UTF8", nil }),
	}
}
