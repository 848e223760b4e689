// Package weightstest is the conformance suite for sources of weights. It is
// imported by tests only.
//
//	if err := weightstest.Source(src); err != nil {
//		t.Fatal(err)
//	}
package weightstest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/weights"
)

// Source reports what src does otherwise than weights.Source and the optional
// methods Info and Float32 promise: names are unique and stay, a tensor is a
// copy, a name that is not there is fs.ErrNotExist, the methods agree with each
// other, and what is written reads back bit for bit. It reads every tensor a few
// times.
func Source(src weights.Source) error {
	names := src.Names()
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			return fmt.Errorf("name %q is listed twice", name)
		}
		seen[name] = true
	}
	if len(names) > 0 {
		src.Names()[0] = "overwritten by the caller"
	}
	if again := src.Names(); !slices.Equal(names, again) {
		return fmt.Errorf("names are %q, then %q", names, again)
	}
	absent := "no such tensor"
	for seen[absent] {
		absent += "!"
	}
	if _, err := src.Tensor(absent); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("asking Tensor for %q, which is not there: error %v, want one that wraps fs.ErrNotExist", absent, err)
	}
	if _, err := weights.Describe(src, absent); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("asking Info for %q, which is not there: error %v, want one that wraps fs.ErrNotExist", absent, err)
	}
	if err := weights.Float32(src, absent, nil); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("asking Float32 for %q, which is not there: error %v, want one that wraps fs.ErrNotExist", absent, err)
	}
	for _, name := range names {
		if err := one(src, name); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	return written(src)
}

func one(src weights.Source, name string) error {
	t, err := src.Tensor(name)
	if err != nil {
		return err
	}
	shape := []int(t.Shape().Clone())
	info, err := weights.Describe(src, name)
	if err != nil {
		return err
	}
	if !slices.Equal(info.Shape, shape) {
		return fmt.Errorf("shape %v by Info, %v by Tensor", info.Shape, shape)
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	if info.Elems() != n {
		return fmt.Errorf("%d elements by Info, shape %v has %d", info.Elems(), shape, n)
	}
	before := fmt.Sprint(t.Data())
	scribble(t)
	again, err := src.Tensor(name)
	if err != nil {
		return fmt.Errorf("the second time: %w", err)
	}
	if now := fmt.Sprint(again.Data()); now != before {
		return fmt.Errorf("the tensor is no copy: a change by the caller shows in the next one")
	}
	return float32s(src, name, again, n)
}

// float32s compares Float32 with Tensor, for floating-point tensors.
func float32s(src weights.Source, name string, t *tensor.Dense, n int) error {
	dst := make([]float32, n)
	err := weights.Float32(src, name, dst)
	switch t.Dtype() {
	case tensor.Float32, tensor.Float64:
	default:
		if err == nil {
			return fmt.Errorf("reading %v by Float32 is no error", t.Dtype())
		}
		return nil
	}
	if err != nil {
		return err
	}
	want := new(weights.Map)
	want.Set(name, t)
	ref := make([]float32, n)
	if err := weights.Float32(want, name, ref); err != nil {
		return err
	}
	for i, v := range dst {
		if v != ref[i] && (v == v || ref[i] == ref[i]) {
			return fmt.Errorf("element %[2]d is %[1]v by Float32, %[3]v by Tensor", v, i, ref[i])
		}
	}
	if weights.Float32(src, name, make([]float32, n+1)) == nil {
		return fmt.Errorf("filling %d elements from %d by Float32 is no error", n+1, n)
	}
	return nil
}

// scribble changes every element.
func scribble(t *tensor.Dense) {
	v := reflect.ValueOf(t.Data())
	if v.Kind() != reflect.Slice {
		return // a scalar's Data is a copy itself
	}
	for i := range v.Len() {
		switch e := v.Index(i); {
		case e.CanInt():
			e.SetInt(e.Int() ^ 1)
		case e.CanUint():
			e.SetUint(e.Uint() ^ 1)
		case e.CanFloat():
			e.SetFloat(1 - e.Float())
		case e.Kind() == reflect.Bool:
			e.SetBool(!e.Bool())
		}
	}
}

func written(src weights.Source) error {
	var first, second bytes.Buffer
	if err := weights.WriteTo(&first, src, nil); err != nil {
		return err
	}
	f, err := weights.NewReader(bytes.NewReader(first.Bytes()), int64(first.Len()))
	if err != nil {
		return err
	}
	got, want := f.Names(), src.Names()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%q are written as %q", want, got)
	}
	if err := weights.WriteTo(&second, f, nil); err != nil {
		return err
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		return fmt.Errorf("written, read and written again, the bytes differ")
	}
	return nil
}
