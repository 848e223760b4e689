package ema_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/ema"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
)

func TestDecayWarmsUp(t *testing.T) {
	for _, test := range []struct {
		avg  ema.Average
		at   int
		want float64
	}{
		{ema.Average{}, 1, 2.0 / 11},
		{ema.Average{}, 90, 91.0 / 100},
		{ema.Average{}, 1_000_000, 0.9998},
		{ema.Average{Decay: 0.5}, 1, 2.0 / 11},
		{ema.Average{Decay: 0.5}, 100, 0.5},
		{ema.Average{Decay: 0.9, Warmup: -1}, 1, 0.9},
		{ema.Average{Decay: 0.9, Warmup: 1}, 1, 0.9},
	} {
		if got := test.avg.DecayAt(test.at); math.Abs(got-test.want) > 1e-15 {
			t.Errorf("%+v: decay %v at %d, want %v", test.avg, got, test.at, test.want)
		}
	}
}

func TestAverageFollowsTheModel(t *testing.T) {
	m := resnet.CIFAR8(3)
	nn.Initialize(m, 1)
	avg := &ema.Average{Decay: 0.75, Warmup: -1}
	if err := avg.Start(m); err != nil {
		t.Fatal(err)
	}
	p := m.Params()[0]
	first := slices.Clone(p.Data())
	for i := range p.Data() {
		p.Data()[i] += 4
	}
	for _, q := range m.Params() {
		if q.Kind() == nn.Counter {
			q.SetCount(12)
		}
	}
	if err := avg.Update(m); err != nil {
		t.Fatal(err)
	}
	if err := avg.Swap(); err != nil { // the model has the average now
		t.Fatal(err)
	}
	for i, v := range p.Data() {
		if math.Abs(float64(v-(first[i]+1))) > 1e-6 {
			t.Fatalf("element %d is %v, want %v", i, v, first[i]+1)
		}
	}
	if err := avg.Swap(); err != nil {
		t.Fatal(err)
	}
	for i, v := range p.Data() {
		if v != first[i]+4 {
			t.Fatalf("after swapping twice element %d is %v, want %v", i, v, first[i]+4)
		}
	}
	if !slices.Equal(avg.Names(), nn.Source(m).Names()) {
		t.Error("the average has other names than the model")
	}
	for _, name := range avg.Names() {
		v, err := avg.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		w, err := nn.Source(m).Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(v.Shape(), v.Dtype()) != fmt.Sprint(w.Shape(), w.Dtype()) {
			t.Errorf("%s: %v %v, the model has %v %v", name, v.Shape(), v.Dtype(), w.Shape(), w.Dtype())
		}
	}
	n, err := avg.Tensor("bn1.num_batches_tracked")
	if err != nil || n.ScalarValue() != int64(12) {
		t.Errorf("counter %v, %v", n, err)
	}
	other := resnet.CIFAR8(3)
	nn.Initialize(other, 1)
	if err := nn.Load(other, avg, nn.LoadOptions{}); err != nil {
		t.Errorf("the average does not load: %v", err)
	}
}

func TestErrors(t *testing.T) {
	m := resnet.CIFAR8(3)
	if err := new(ema.Average).Update(m); !errors.Is(err, ema.ErrEmpty) {
		t.Errorf("a model without weights: %v", err)
	}
	if err := new(ema.Average).Swap(); !errors.Is(err, ema.ErrEmpty) {
		t.Errorf("swapping nothing: %v", err)
	}
	if _, err := new(ema.Average).Tensor("fc.weight"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a tensor of nothing: %v", err)
	}
	nn.Initialize(m, 1)
	for _, decay := range []float64{-1, 1, 2, math.NaN()} {
		if err := (&ema.Average{Decay: decay}).Start(m); err == nil {
			t.Errorf("decay %v: no error", decay)
		}
	}
	avg := &ema.Average{}
	if err := avg.Update(m); err != nil {
		t.Fatal(err)
	}
	other := resnet.CIFAR8(3)
	nn.Initialize(other, 2)
	if err := avg.Update(other); err == nil {
		t.Error("another model's weights were averaged in")
	}
}

func Example() {
	m := resnet.CIFAR8(10)
	nn.Initialize(m, 1)
	avg := &ema.Average{Decay: 0.998}
	for range 3 { // after each training step
		if err := avg.Update(m); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Printf("%d updates, decay %.3f\n", avg.Steps(), avg.DecayAt(3))
	// Output: 3 updates, decay 0.308
}

func TestThreadsShareAnUpdateAndDoNotChangeIt(t *testing.T) {
	average := func(update func(*ema.Average, nn.Model) error) [][]float32 {
		m := resnet.CIFAR8(3)
		nn.Initialize(m, 1)
		avg := &ema.Average{}
		if err := avg.Start(m); err != nil {
			t.Fatal(err)
		}
		nn.Initialize(m, 2)
		if err := update(avg, m); err != nil {
			t.Fatal(err)
		}
		if err := avg.Swap(); err != nil {
			t.Fatal(err)
		}
		var values [][]float32
		for _, p := range m.Params() {
			values = append(values, p.Data())
		}
		return values
	}
	want := average((*ema.Average).Update)
	for _, threads := range []int{1, 2, 7} {
		dev := nn.NewDevice(nn.DeviceOptions{Threads: threads})
		got := average(func(a *ema.Average, m nn.Model) error { return a.UpdateOn(dev, m) })
		for i := range want {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("tensor %d differs with %d threads", i, threads)
			}
		}
	}
}
