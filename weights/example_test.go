package weights_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/weights"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")

	m := weights.NewMap()
	m.Set("fc.weight", tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6})))
	if err := weights.Write(path, m, map[string]string{"format": "pt"}); err != nil {
		panic(err)
	}

	f, err := weights.Open(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	for _, name := range f.Names() {
		t, err := f.Tensor(name)
		if err != nil {
			panic(err)
		}
		fmt.Println(name, t.Shape(), t.Data(), f.Metadata()["format"])
	}
	// Output: fc.weight (2, 3) [1 2 3 4 5 6] pt
}

func ExampleRename() {
	theirs := weights.NewMap()
	theirs.SetFloat32("module.linear.bias", []float32{0.5, -0.5}, 2)

	ours := weights.Rename(weights.Strip(theirs, "module."), func(name string) string {
		return strings.Replace(name, "linear.", "fc.", 1)
	})
	fmt.Println(ours.Names())
	// Output: [fc.bias]
}

func ExampleStateDict() {
	f, err := weights.Open("testdata/torch/zip_parallel.pth") // of torch.save
	if err != nil {
		panic(err)
	}
	defer f.Close()
	model, err := weights.StateDict(f, "")
	if err != nil {
		panic(err)
	}
	fmt.Println(f.Format(), f.Names()[0])
	fmt.Println(model.Names()[0])
	// Output:
	// PyTorch zip state_dict.module.0.weight
	// 0.weight
}

func ExampleFloat32() {
	m := weights.NewMap()
	m.Set("gamma", tensor.New(tensor.WithShape(2), tensor.WithBacking([]float64{0.25, 2})))

	dst := make([]float32, 2) // the model's own memory
	fmt.Println(weights.Float32(m, "gamma", dst), dst)
	// Output: <nil> [0.25 2]
}

func ExampleWriteTo() {
	m := weights.NewMap()
	m.SetFloat32("bias", []float32{1}, 1)

	var b bytes.Buffer
	if err := weights.WriteTo(&b, m, nil); err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", b.Bytes()[8:b.Len()-4])
	// Output: {"bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}
}
