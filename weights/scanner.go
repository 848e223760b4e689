package weights

import (
	"encoding/json"
	"strconv"
)

// scanner walks JSON that is known to be valid.
type scanner struct {
	text []byte
	at   int
}

// next is the first byte of what follows, white space aside; 0 at the end.
func (s *scanner) next() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\n', '\r', '\t':
		default:
			return c
		}
	}
	return 0
}

// take steps over c if it is what follows.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// object calls each for every key of the object that follows; each steps over
// the value.
func (s *scanner) object(each func(key string) error) error {
	if !s.take('{') {
		return malformed("'%c' where '{' should be", s.next())
	}
	for !s.take('}') {
		s.take(',')
		key, ok := s.str()
		if !ok || !s.take(':') {
			return malformed("byte %d of the header is no key", s.at)
		}
		if err := each(key); err != nil {
			return err
		}
	}
	return nil
}

// str steps over a string; not ok if something else follows.
func (s *scanner) str() (string, bool) {
	if s.next() != '"' {
		return "", false
	}
	escaped := false
	for end := s.at + 1; end < len(s.text); end++ {
		switch s.text[end] {
		case '\\':
			escaped = true
			end++
		case '"':
			raw := s.text[s.at : end+1]
			s.at = end + 1
			if !escaped {
				return string(raw[1 : len(raw)-1]), true
			}
			var text string
			err := json.Unmarshal(raw, &text)
			return text, err == nil
		}
	}
	return "", false
}

// numbers steps over an array of at most most whole numbers from 0, which it
// appends to all.
func (s *scanner) numbers(what string, all []int64, most int) ([]int64, error) {
	if !s.take('[') {
		return nil, malformed("%s is not an array", what)
	}
	for !s.take(']') {
		s.take(',')
		if len(all) == most {
			return nil, unsupported("%s has more than %d numbers", what, most)
		}
		if c := s.next(); c != '-' && (c < '0' || c > '9') {
			return nil, malformed("%s holds something that is not a number", what)
		}
		from := s.at
		for s.at < len(s.text) && inNumber(s.text[s.at]) {
			s.at++
		}
		v, err := strconv.ParseUint(string(s.text[from:s.at]), 10, 63)
		if err != nil {
			return nil, malformed("%s holds %s, not a whole number from 0 to 2⁶³-1", what, quote(string(s.text[from:s.at])))
		}
		all = append(all, int64(v))
	}
	return all, nil
}

func inNumber(c byte) bool {
	return '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

// skip steps over any value and returns its text.
func (s *scanner) skip() string {
	s.next()
	from, depth := s.at, 0
	for s.at < len(s.text) {
		switch c := s.next(); c {
		case '"':
			s.str()
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case ',', ':':
			s.at++
		default: // a number or a literal
			for s.at < len(s.text) && (inNumber(s.text[s.at]) || 'a' <= s.text[s.at] && s.text[s.at] <= 'z') {
				s.at++
			}
		}
		if depth == 0 {
			break
		}
	}
	return string(s.text[from:s.at])
}
