package transform

import "fmt"

// nameOf is names[i], or says that there is no such thing.
func nameOf(what string, names []string, i int) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("%s(%d)", what, i)
	}
	return names[i]
}

func marshalName(what string, names []string, i int) ([]byte, error) {
	if i < 0 || i >= len(names) {
		return nil, fmt.Errorf("transform: no such %s: %d", what, i)
	}
	return []byte(names[i]), nil
}

func unmarshalName(what string, names []string, text []byte) (int, error) {
	for i, s := range names {
		if s == string(text) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("transform: no such %s: %q", what, text)
}
