package convnext_test

import "encoding/json"

// numbers is a list in JSON, or one number.
type numbers []int

func (n *numbers) UnmarshalJSON(text []byte) error {
	var one int
	if err := json.Unmarshal(text, &one); err == nil {
		*n = numbers{one}
		return nil
	}
	return json.Unmarshal(text, (*[]int)(n))
}

// optional is a number in JSON that may be null, which is not the same as none.
type optional struct {
	null  bool
	value float64
}

func (o *optional) UnmarshalJSON(text []byte) error {
	if o.null = string(text) == "null"; o.null {
		return nil
	}
	return json.Unmarshal(text, &o.value)
}
