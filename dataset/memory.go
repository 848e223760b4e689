package dataset

import (
	"fmt"
	"image"

	"github.com/winnow-go/winnow/transform"
)

// Item is a picture for NewMemory: an image or the bytes of an encoded one.
type Item struct {
	Name  string      // "" becomes its number
	Label int         // index into the classes, or -1
	Image image.Image // or
	Data  []byte      // JPEG, PNG and so on, decoded each time it is wanted
}

// Memory is a Set of pictures in memory.
type Memory struct {
	classes []string
	items   []Item
	limits  transform.Limits
}

// NewMemory makes a Set of items, which it keeps; limits hold for decoding
// Data. A label that is no index into classes, or an item with neither Image
// nor Data, is an error. No items make an empty set.
func NewMemory(classes []string, items []Item, limits transform.Limits) (*Memory, error) {
	for i, it := range items {
		if it.Label < -1 || it.Label >= len(classes) {
			return nil, fmt.Errorf("dataset: item %d: label %d with %d classes", i, it.Label, len(classes))
		}
		if it.Image == nil && len(it.Data) == 0 {
			return nil, fmt.Errorf("dataset: item %d: %w", i, ErrEmpty)
		}
	}
	return &Memory{classes, items, limits}, nil
}

// Len is the number of items.
func (m *Memory) Len() int { return len(m.items) }

// Classes are the names given to NewMemory.
func (m *Memory) Classes() []string { return m.classes }

// Label is the item's.
func (m *Memory) Label(i int) int { return m.items[i].Label }

// Name is the item's, or its number.
func (m *Memory) Name(i int) string {
	if n := m.items[i].Name; n != "" {
		return n
	}
	return fmt.Sprintf("#%d", i)
}

// Image returns the item's image or decodes its bytes.
func (m *Memory) Image(i int) (image.Image, error) {
	if img := m.items[i].Image; img != nil {
		return img, nil
	}
	img, err := transform.DecodeBytes(m.items[i].Data, m.limits)
	if err != nil {
		return nil, &BadFile{m.Name(i), err}
	}
	return img, nil
}
