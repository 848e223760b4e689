package clip

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// object is a JSON object whose values are read one by one; a key that was not
// asked for can be found afterwards.
type object struct {
	where string
	m     map[string]json.RawMessage
	asked map[string]bool
	err   error // the first
}

// maxConfig is the longest configuration file that is looked at.
const maxConfig = 4 << 20

func parseObject(where string, data []byte) *object {
	o := &object{where: where, asked: map[string]bool{}}
	if len(data) > maxConfig {
		o.err = fmt.Errorf("%s: %d bytes: %w", where, len(data), ErrConfig)
		return o
	}
	if err := json.Unmarshal(data, &o.m); err != nil {
		o.err = fmt.Errorf("%s: %w: %w", where, err, ErrConfig)
	}
	return o
}

// has tells whether there is a value other than null.
func (o *object) has(key string) bool {
	v, ok := o.m[key]
	return ok && string(v) != "null"
}

// get reads a value; into stays as it is where there is none.
func (o *object) get(key string, into any) {
	o.asked[key] = true
	if o.err == nil && o.has(key) {
		if err := json.Unmarshal(o.m[key], into); err != nil {
			o.err = fmt.Errorf("%s: %s: %w: %w", o.where, key, err, ErrConfig)
		}
	}
}

// sub reads an object, nil where there is none.
func (o *object) sub(key string) *object {
	o.asked[key] = true
	if o.err != nil || !o.has(key) {
		return nil
	}
	s := parseObject(o.where+": "+key, o.m[key])
	if s.err != nil {
		o.err = s.err
	}
	return s
}

// side reads a length that may be given as one number or as two equal ones.
func (o *object) side(key string, into *int) {
	o.asked[key] = true
	if o.err != nil || !o.has(key) || json.Unmarshal(o.m[key], into) == nil {
		return
	}
	var two []int
	if err := json.Unmarshal(o.m[key], &two); err != nil || len(two) != 2 || two[0] != two[1] {
		o.err = fmt.Errorf("%s: %s is %s, want one side of a square: %w", o.where, key, quoted(string(o.m[key])), ErrUnsupported)
		return
	}
	*into = two[0]
}

// fixed wants a value to be one of the given JSON texts, or absent or null: it
// asks for something that only one way of is built.
func (o *object) fixed(key string, values ...string) {
	o.asked[key] = true
	if o.err == nil && o.has(key) && !slices.Contains(values, string(o.m[key])) {
		o.err = fmt.Errorf("%s: %s is %s, built is %s: %w", o.where, key, quoted(string(o.m[key])), strings.Join(values, " or "), ErrUnsupported)
	}
}

// ignore says that keys change nothing here.
func (o *object) ignore(keys ...string) {
	for _, k := range keys {
		o.asked[k] = true
	}
}

// done is the first error; a key that nobody asked for is one, for it may stand
// for something that would be left out.
func (o *object) done() error {
	if o.err != nil {
		return o.err
	}
	var unknown []string
	for key := range o.m {
		if !o.asked[key] && o.has(key) {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return fmt.Errorf("%s: %s is not known: %w", o.where, quoted(unknown[0]), ErrUnsupported)
	}
	return nil
}

// quoted shortens what a hostile file could make very long.
func quoted(s string) string {
	const most = 60
	if len(s) > most {
		return fmt.Sprintf("%q... (%d bytes)", s[:most], len(s))
	}
	return fmt.Sprintf("%q", s)
}
