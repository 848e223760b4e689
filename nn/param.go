package nn

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/weights"
)

// Kind says what a parameter is to training.
type Kind uint8

// Kinds of parameters.
const (
	Learnable Kind = iota // moved by the optimizer
	Statistic             // a running mean or variance, moved by BatchNorm itself
	Counter               // one int64: how many batches a BatchNorm has seen
)

func (k Kind) String() string { return [...]string{"learnable", "statistic", "counter"}[k] }

// layout is how a parameter lies in memory, where that differs from the file.
type layout uint8

const (
	plain    layout = iota
	convOHWI        // file [O,I,KH,KW], memory [O,KH,KW,I]
	depthHWC        // file [C,1,KH,KW], memory [KH,KW,C]
)

// Param is a named array of a model: a weight that is learned, or a running
// statistic. It has a name and a shape from the start and memory only once it
// was initialised or loaded. Reading is safe for concurrent use; whoever
// writes (the optimizer, Load) must be alone.
type Param struct {
	name  string
	shape []int // as PyTorch stores it
	kind  Kind
	lay   layout
	init  Init
	data  []float32 // in memory layout
	gone  bool      // data was given up to a Runner, see RunnerOptions.TakeWeights
	count int64
}

// Name is the dotted name, timm's where timm has the model.
func (p *Param) Name() string { return p.name }

// Shape is the shape as PyTorch stores it: [O,I,KH,KW] for a convolution,
// [O,I] for a linear layer, [] for a counter. The caller must not change it.
func (p *Param) Shape() []int { return p.shape }

// Kind says what the parameter is to training.
func (p *Param) Kind() Kind { return p.kind }

// Len is the number of elements.
func (p *Param) Len() int {
	n := 1
	for _, d := range p.shape {
		n *= d
	}
	return n
}

// Dims is the number of dimensions that are longer than 1. Biases, norms and
// layer scales have at most one: the recipes leave them out of weight decay.
func (p *Param) Dims() int {
	n := 0
	for _, d := range p.shape {
		if d > 1 {
			n++
		}
	}
	return n
}

// Data is the parameter's own memory, nil before it was initialised or loaded
// and for counters. Its order is internal (convolution weights lie differently
// than in files), which does not matter to whatever works element by element.
func (p *Param) Data() []float32 { return p.data }

// Count is the value of a counter, 0 for others.
func (p *Param) Count() int64 { return p.count }

// SetCount sets a counter.
func (p *Param) SetCount(n int64) { p.count = n }

func (p *Param) alloc() []float32 {
	if p.data == nil && p.kind != Counter {
		p.data = kernel.Aligned(p.Len())
	}
	return p.data
}

// initialize draws the parameter's initial values from r.
func (p *Param) initialize(r *rand.Rand) {
	if p.kind == Counter {
		p.count = 0
		return
	}
	tmp := make([]float32, p.Len())
	p.init(r, p.shape, tmp)
	p.fromFile(tmp)
}

// fromFile copies values in the file's order into memory.
func (p *Param) fromFile(src []float32) { p.permute(p.alloc(), src, true) }

// toFile copies the values in the file's order to dst.
func (p *Param) toFile(dst []float32) { p.permute(dst, p.data, false) }

func (p *Param) permute(dst, src []float32, load bool) {
	if p.sameOrder() {
		copy(dst, src)
		return
	}
	o, i, hw := p.shape[0], p.shape[1], p.shape[2]*p.shape[3]
	if p.lay == depthHWC { // [C,HW] and [HW,C]
		o, i = 1, o
	}
	for a := range o {
		d, s := dst[a*i*hw:(a+1)*i*hw], src[a*i*hw:(a+1)*i*hw]
		if load {
			transpose(d, s, i, hw)
		} else {
			transpose(d, s, hw, i)
		}
	}
}

// sameOrder reports whether file and memory have the same order.
func (p *Param) sameOrder() bool {
	switch p.lay {
	case convOHWI:
		return p.shape[1] == 1 || p.shape[2]*p.shape[3] == 1
	case depthHWC:
		return p.shape[0] == 1 || p.shape[2]*p.shape[3] == 1
	}
	return true
}

// transpose writes src [rows,cols] to dst [cols,rows].
func transpose(dst, src []float32, rows, cols int) {
	for r := range rows {
		line := src[r*cols : (r+1)*cols]
		at := r
		for _, v := range line {
			dst[at] = v
			at += rows
		}
	}
}

// Values returns a copy of mem, an array in the memory layout of p such as its
// gradient or its average, in the order of files.
func (p *Param) Values(mem []float32) []float32 {
	dst := make([]float32, len(mem))
	p.permute(dst, mem, false)
	return dst
}

// Tensor returns a copy of the values in the file's layout: float32, or an
// int64 scalar for a counter.
func (p *Param) Tensor() (*tensor.Dense, error) {
	if p.kind == Counter {
		return tensor.New(tensor.FromScalar(p.count)), nil
	}
	if p.gone {
		return nil, fmt.Errorf("nn: parameter %s: %w", p.name, ErrTaken)
	}
	if p.data == nil {
		return nil, fmt.Errorf("nn: parameter %s has no values yet: Initialize or Load the model first", p.name)
	}
	dst := make([]float32, p.Len())
	p.toFile(dst)
	return tensor.New(tensor.WithShape(p.shape...), tensor.WithBacking(dst)), nil
}

// Model is what trains and predicts: parameters and a forward pass from images
// [N,H,W,3] to logits [N,K].
//
// Forward records on the tape; the same definition serves training and
// inference, whose difference is the tape's. It must not keep state.
type Model interface {
	// Params lists all parameters in the order of PyTorch's state dict.
	Params() []*Param
	Forward(t *Tape, x *Tensor) *Tensor
}

// Initialize gives every parameter of m its initial values. The draws depend
// on the seed and the parameter's place in the list alone.
func Initialize(m Model, seed uint64) {
	for i, p := range m.Params() {
		p.initialize(rng.New(seed, rng.Init, uint64(i)))
	}
}

// Count returns how many numbers m learns: parameters without running
// statistics and counters.
func Count(m Model) int {
	n := 0
	for _, p := range m.Params() {
		if p.kind == Learnable {
			n += p.Len()
		}
	}
	return n
}

// Source returns the parameters of m as a weights.Source that reads them at
// the moment of each call.
func Source(m Model) weights.Source { return modelSource(m.Params()) }

type modelSource []*Param

func (s modelSource) Names() []string {
	names := make([]string, len(s))
	for i, p := range s {
		names[i] = p.name
	}
	return names
}

func (s modelSource) Tensor(name string) (*tensor.Dense, error) {
	i := slices.IndexFunc(s, func(p *Param) bool { return p.name == name })
	if i < 0 {
		return nil, fmt.Errorf("nn: parameter %s: %w", name, fs.ErrNotExist)
	}
	return s[i].Tensor()
}
