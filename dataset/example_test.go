package dataset_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"

	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/transform"
)

func Example() {
	// Six pictures of two classes; dataset.Open reads them from a path.
	var items []dataset.Item
	for i := range 6 {
		img := image.NewGray(image.Rect(0, 0, 40, 30))
		for k := range img.Pix {
			img.Pix[k] = uint8(40 * i)
		}
		items = append(items, dataset.Item{Label: i % 2, Image: img})
	}
	set, err := dataset.NewMemory([]string{"odd", "even"}, items, transform.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	train, test, err := dataset.Stratified(set, 1./3, 1)
	fmt.Println(train.Len(), test.Len(), dataset.Counts(test), err)

	for batch, err := range dataset.Batches(context.Background(), train, dataset.LoadOptions{
		Batch: 3, Transform: transform.Native(32), Shuffle: true, Seed: 1,
	}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(batch.X.Shape(), len(batch.Labels))
	}
	// Output:
	// 4 2 [1 1] <nil>
	// (3, 32, 32, 3) 3
	// (1, 32, 32, 3) 1
}

func ExampleOpen() {
	_, err := dataset.Open("no/such/folder", dataset.Options{})
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output: true
}
