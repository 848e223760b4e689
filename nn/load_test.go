package nn_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/weights"
	"github.com/winnow-go/winnow/weights/weightstest"
)

// small has a parameter of every kind and layout: a convolution, a depthwise
// one, a linear layer, a norm with statistics and a counter.
func small() *layer {
	s := nn.NewScope()
	nn.NewConv(s.Sub("conv"), nn.ConvConfig{In: 2, Out: 3, Kernel: [2]int{2, 1}, Bias: true})
	nn.NewConv(s.Sub("depth"), nn.ConvConfig{In: 3, Out: 3, Groups: 3, Kernel: nn.Square(3)})
	nn.NewBatchNorm(s.Sub("bn"), nn.BatchNormConfig{Channels: 3})
	nn.NewLinear(s.Sub("fc"), nn.LinearConfig{In: 3, Out: 4})
	return newLayer(s, nil)
}

// bare is a Source without the Info that files offer.
type bare struct{ src weights.Source }

func (b bare) Names() []string                           { return b.src.Names() }
func (b bare) Tensor(name string) (*tensor.Dense, error) { return b.src.Tensor(name) }

// snapshot is all values of m.
func snapshot(m nn.Model) []float32 {
	var all []float32
	for _, p := range m.Params() {
		all = append(all, p.Data()...)
		all = append(all, float32(p.Count()))
	}
	return all
}

// clone is nn.Clone for a model that has values.
func clone(t testing.TB, m nn.Model) *weights.Map {
	t.Helper()
	c, err := nn.Clone(m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoadListsWhatDoesNotFit(t *testing.T) {
	donor := small()
	nn.Initialize(donor, 1)
	vector := func(n int) *tensor.Dense { return dense(1, n) }
	for _, c := range []struct {
		name    string
		change  func(src *weights.Map) weights.Source
		options nn.LoadOptions
		empty   bool // the model has no values yet
		want    nn.LoadError
	}{
		{name: "missing", change: func(s *weights.Map) weights.Source { return weights.Omit(s, "fc.bias", "conv.weight") },
			want: nn.LoadError{Missing: []string{"conv.weight", "fc.bias"}}},
		{name: "unexpected", change: func(s *weights.Map) weights.Source {
			s.Set("head.weight", vector(2))
			s.Set("head.bias", vector(2))
			return s
		}, want: nn.LoadError{Unexpected: []string{"head.weight", "head.bias"}}},
		{name: "wrong shapes", change: func(s *weights.Map) weights.Source {
			s.Set("fc.weight", dense(1, 3, 4)) // transposed
			s.Set("conv.bias", vector(4))
			s.Set("bn.running_var", tensor.New(tensor.FromScalar(float32(1))))
			return s
		}, want: nn.LoadError{Misshaped: []string{
			"conv.bias is [4], the model wants [3]", "bn.running_var is [], the model wants [3]", "fc.weight is [3 4], the model wants [4 3]"}}},
		{name: "all at once", change: func(s *weights.Map) weights.Source {
			s.Set("fc.bias", vector(1))
			s.Set("new", vector(1))
			return weights.Omit(s, "conv.bias")
		}, want: nn.LoadError{Missing: []string{"conv.bias"}, Unexpected: []string{"new"}, Misshaped: []string{"fc.bias is [1], the model wants [4]"}}},
		{name: "partial into nothing", change: func(s *weights.Map) weights.Source { return weights.Omit(s, "fc.") },
			options: nn.LoadOptions{Partial: true}, empty: true, want: nn.LoadError{Missing: []string{"fc.weight", "fc.bias"}}},
		{name: "partial with strangers", change: func(s *weights.Map) weights.Source {
			s.Set("new", vector(1))
			return weights.Omit(s, "fc.")
		}, options: nn.LoadOptions{Partial: true}, want: nn.LoadError{Unexpected: []string{"new"}}},
		{name: "nothing", change: func(s *weights.Map) weights.Source { return weights.NewMap() }, want: nn.LoadError{Missing: []string{
			"conv.weight", "conv.bias", "depth.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "fc.weight", "fc.bias"}}},
	} {
		for _, wrap := range []string{"with Info", "without Info"} {
			t.Run(c.name+"/"+wrap, func(t *testing.T) {
				m := small()
				if !c.empty {
					nn.Initialize(m, 2)
				}
				before := snapshot(m)
				src := c.change(clone(t, donor))
				if wrap == "without Info" {
					src = bare{src}
				}
				err := nn.Load(m, src, c.options)
				var got *nn.LoadError
				if !errors.As(err, &got) {
					t.Fatalf("%v, want a LoadError", err)
				}
				want := c.want
				if wrap == "without Info" && len(want.Missing)+len(want.Unexpected) > 0 {
					want.Misshaped = nil // known only after reading
				}
				if fmt.Sprint(*got) != fmt.Sprint(want) {
					t.Errorf("%+v\nwant %+v", *got, want)
				}
				for _, list := range [][]string{want.Missing, want.Unexpected, want.Misshaped} {
					for i, name := range list {
						if shown := strings.Contains(err.Error(), name); shown != (i < 8) {
							t.Errorf("%q names %q: %v", err, name, shown)
						}
					}
				}
				if !slices.Equal(snapshot(m), before) {
					t.Error("the model changed")
				}
			})
		}
	}
}

func TestLoadFailsWithoutChangingTheModel(t *testing.T) {
	donor := small()
	nn.Initialize(donor, 1)
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		src  func(s *weights.Map) weights.Source
		want string
	}{
		{"whole numbers for a weight", func(s *weights.Map) weights.Source {
			s.Set("fc.bias", tensor.New(tensor.WithShape(4), tensor.WithBacking([]int64{1, 2, 3, 4})))
			return s
		}, "fc.bias"},
		{"a counter of another type", func(s *weights.Map) weights.Source {
			s.Set("bn.num_batches_tracked", tensor.New(tensor.FromScalar(float32(1))))
			return s
		}, "bn.num_batches_tracked"},
		{"an error of the source", func(s *weights.Map) weights.Source { return failing{bare{s}, broken} }, "broken"},
		{"no tensor", func(s *weights.Map) weights.Source { return failing{bare{s}, nil} }, "fc.bias"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := small()
			nn.Initialize(m, 2)
			before := snapshot(m)
			for _, src := range []weights.Source{bare{c.src(clone(t, donor))}, c.src(clone(t, donor))} {
				calm(t, func() {
					err := nn.Load(m, src, nn.LoadOptions{})
					if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "nn: load") {
						t.Errorf("%v, want an error about %s", err, c.want)
					}
					if c.want == "broken" && !errors.Is(err, broken) {
						t.Errorf("%v does not wrap the source's", err)
					}
				})
			}
			if !slices.Equal(snapshot(m), before) {
				t.Error("the model changed")
			}
		})
	}
}

// failing has no last tensor, but an error or nothing.
type failing struct {
	bare
	err error
}

func (f failing) Tensor(name string) (*tensor.Dense, error) {
	if name == "fc.bias" {
		return nil, f.err
	}
	return f.bare.Tensor(name)
}

func TestLoadTakesWhatIsTheSame(t *testing.T) {
	donor := small()
	nn.Initialize(donor, 1)
	find(donor, "bn.num_batches_tracked").SetCount(41)
	want := snapshot(donor)
	reshape := func(s *weights.Map, name string, shape ...int) {
		d, err := s.Tensor(name)
		if err == nil {
			err = d.Reshape(shape...)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Set(name, d)
	}
	for _, c := range []struct {
		name   string
		change func(s *weights.Map) weights.Source
	}{
		{"itself", func(s *weights.Map) weights.Source { return s }},
		{"axes of length 1", func(s *weights.Map) weights.Source {
			reshape(s, "fc.weight", 4, 3, 1, 1)
			reshape(s, "fc.bias", 4, 1, 1)
			reshape(s, "bn.weight", 1, 3, 1, 1)
			reshape(s, "depth.weight", 3, 3, 3)
			reshape(s, "conv.weight", 3, 2, 2)
			return s
		}},
		{"float64", func(s *weights.Map) weights.Source {
			for _, name := range s.Names() {
				if d, _ := s.Tensor(name); d.Dtype() == tensor.Float32 {
					var wide []float64
					for _, v := range d.Data().([]float32) {
						wide = append(wide, float64(v))
					}
					s.Set(name, tensor.New(tensor.WithShape(d.Shape()...), tensor.WithBacking(wide)))
				}
			}
			return s
		}},
		{"another order", func(s *weights.Map) weights.Source {
			names := s.Names()
			slices.Reverse(names)
			r := weights.NewMap()
			for _, name := range names {
				d, _ := s.Tensor(name)
				r.Set(name, d)
			}
			return r
		}},
		{"a counter of one element", func(s *weights.Map) weights.Source {
			s.Set("bn.num_batches_tracked", tensor.New(tensor.WithShape(1), tensor.WithBacking([]int64{41})))
			return s
		}},
		{"column-major memory", func(s *weights.Map) weights.Source {
			d, _ := s.Tensor("fc.weight")
			columns := tensor.New(tensor.WithShape(4, 3), tensor.AsFortran(slices.Clone(d.Data().([]float32)))) // reorders them
			if at, err := columns.At(1, 0); err != nil || at != d.Data().([]float32)[3] || columns.Data().([]float32)[1] != at {
				t.Fatalf("%v is not column-major", columns.Data())
			}
			return replaced{s, "fc.weight", columns}
		}},
		{"a transposed view", func(s *weights.Map) weights.Source {
			d, _ := s.Tensor("fc.weight")
			v := d.Data().([]float32)
			columns := make([]float32, len(v))
			for i := range 4 {
				for j := range 3 {
					columns[j*4+i] = v[i*3+j]
				}
			}
			view := tensor.New(tensor.WithShape(3, 4), tensor.WithBacking(columns))
			if err := view.T(); err != nil {
				t.Fatal(err)
			}
			return replaced{s, "fc.weight", view}
		}},
	} {
		for _, wrap := range []string{"with Info", "without Info"} {
			t.Run(c.name+"/"+wrap, func(t *testing.T) {
				src := c.change(clone(t, donor))
				if wrap == "without Info" {
					src = bare{src}
				}
				m := small()
				if err := nn.Load(m, src, nn.LoadOptions{}); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(snapshot(m), want) {
					t.Error("other values arrived")
				}
			})
		}
	}
	t.Run("without counters", func(t *testing.T) {
		m := small()
		find(m, "bn.num_batches_tracked").SetCount(7)
		if err := nn.Load(m, weights.Omit(clone(t, donor), "bn.num_batches_tracked"), nn.LoadOptions{}); err != nil {
			t.Fatal(err)
		}
		if n := find(m, "bn.num_batches_tracked").Count(); n != 7 {
			t.Errorf("the counter went from 7 to %d", n)
		}
	})
	t.Run("partial", func(t *testing.T) {
		m := small()
		nn.Initialize(m, 2)
		own := slices.Clone(find(m, "fc.weight").Data())
		if err := nn.Load(m, weights.Omit(clone(t, donor), "fc."), nn.LoadOptions{Partial: true}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(find(m, "fc.weight").Data(), own) {
			t.Error("a parameter that the source lacks changed")
		}
		if !slices.Equal(find(m, "conv.weight").Data(), find(donor, "conv.weight").Data()) {
			t.Error("a parameter that the source has did not arrive")
		}
	})
}

// replaced hands one tensor out as it is, however it lies in memory.
type replaced struct {
	weights.Source
	name string
	d    *tensor.Dense
}

func (r replaced) Tensor(name string) (*tensor.Dense, error) {
	if name == r.name {
		return r.d, nil
	}
	return r.Source.Tensor(name)
}

func TestModelsAreSources(t *testing.T) {
	for name, m := range map[string]nn.Model{"small": small(), "convnext": convnext.Mini(3), "resnet": resnet.CIFAR8(3)} {
		t.Run(name, func(t *testing.T) {
			if _, err := nn.Source(m).Tensor(m.Params()[0].Name()); err == nil || !strings.Contains(err.Error(), "Initialize or Load") {
				t.Errorf("a model without values: %v", err)
			}
			if _, err := nn.Clone(m); err == nil {
				t.Error("a clone of a model without values")
			}
			nn.Initialize(m, 1)
			src := nn.Source(m)
			if _, err := src.Tensor("no such"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v, want fs.ErrNotExist", err)
			}
			for i, n := range src.Names() {
				p := m.Params()[i]
				d, err := src.Tensor(n)
				if err != nil || n != p.Name() || !slices.Equal([]int(d.Shape()), p.Shape()) && len(p.Shape()) > 0 {
					t.Fatalf("%s is %v, want %s %v (%v)", n, d.Shape(), p.Name(), p.Shape(), err)
				}
			}

			// A source follows the model, a clone does not; neither is its memory.
			p := m.Params()[0]
			c := clone(t, m)
			p.Data()[0] = 1234
			live, _ := src.Tensor(p.Name())
			still, _ := c.Tensor(p.Name())
			if live.Data().([]float32)[0] != 1234 || still.Data().([]float32)[0] == 1234 {
				t.Errorf("after a change the source says %v, the clone %v", live.Data().([]float32)[0], still.Data().([]float32)[0])
			}
			live.Data().([]float32)[0] = -1
			if p.Data()[0] != 1234 {
				t.Error("a tensor of the source is the model's memory")
			}
		})
	}
}

func TestModelsConformToSource(t *testing.T) {
	m := small()
	nn.Initialize(m, 1)
	for what, src := range map[string]weights.Source{"model": nn.Source(m), "clone": clone(t, m)} {
		if err := weightstest.Source(src); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAFileBringsTheSameModelBack(t *testing.T) {
	for name, m := range map[string]nn.Model{"convnext": convnext.Mini(3), "resnet": resnet.CIFAR8(3)} {
		t.Run(name, func(t *testing.T) {
			nn.Initialize(m, 1)
			tape := nn.NewTape(nn.Training, nil) // statistics and counters move
			if err := tape.Backward(m.Forward(tape, tape.Input(dense(2, 2, 8, 8, 3)))); err != nil {
				t.Fatal(err)
			}
			var buf bytes.Buffer
			if err := weights.WriteTo(&buf, nn.Source(m), nil); err != nil {
				t.Fatal(err)
			}
			f, err := weights.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
			if err != nil {
				t.Fatal(err)
			}
			other := map[string]nn.Model{"convnext": convnext.Mini(3), "resnet": resnet.CIFAR8(3)}[name]
			if err := nn.Load(other, f, nn.LoadOptions{}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(snapshot(other), snapshot(m)) {
				t.Error("the values differ")
			}
			if got, want := slices.Sorted(slices.Values(f.Names())), slices.Sorted(slices.Values(nn.Source(m).Names())); !slices.Equal(got, want) {
				t.Errorf("names %q, want %q", got, want)
			}
			x := dense(3, 2, 8, 8, 3)
			a, err := nn.NewRunner(m, nil).Predict(x)
			if err != nil {
				t.Fatal(err)
			}
			b, err := nn.NewRunner(other, nil).Predict(x)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(a.Data().([]float32), b.Data().([]float32)) {
				t.Error("the predictions differ")
			}
		})
	}
}
