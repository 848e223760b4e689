package nn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
)

// Mode is what a tape is for.
type Mode uint8

// Modes.
const (
	// Inference normalises with running statistics, folds BatchNorm into
	// convolutions, drops nothing and keeps nothing for a backward pass.
	Inference Mode = iota
	// Training normalises with the batch's statistics and updates the running
	// ones, applies dropout and drop path, and can run Backward.
	Training
)

func (m Mode) String() string {
	switch m {
	case Inference:
		return "inference"
	case Training:
		return "training"
	}
	return fmt.Sprintf("mode(%d)", uint8(m))
}

// Tape runs a model's operations. Operations are recorded as the model's
// Forward calls them and run when a value is asked for (Eval, Backward): by
// then the tape knows every reader of every activation, so each is freed after
// its last use, and elementwise operations work in place where nobody else
// looks. Shapes are checked at recording.
//
// Errors are sticky: after the first, operations do nothing and return the
// input's tensor or an empty one; Err, Eval and Backward report it. So a
// model's Forward needs no error handling.
//
// A Tape belongs to one goroutine. Reset makes it ready for the next batch and
// keeps its memory.
type Tape struct {
	mode  Mode
	dev   *Device
	b     device.Backend
	err   error
	nodes []*node
	ran   int // nodes that ran already
	seed  uint64
	step  uint64

	grads map[*Param]device.Buffer
	noted []*Tensor      // whose gradients the user wanted and got
	prep  *prepared      // inference: packed weights
	own   bool           // prep is this tape's alone, not shared with others
	take  bool           // packed weights take the place of the model's
	pack  device.Weights // training: weights packed for the operation at hand
	pair  device.Weights // training: and those of two layers
	spare []int32        // training: where maxima were in a step before
}

// Tensor is a value on a tape: an activation [N,H,W,C], [N,T,C] or [R,C], or a
// loss. Its memory belongs to the tape.
type Tensor struct {
	tape  *Tape
	shape []int
	from  *node // that computes it, nil for an input
	buf   device.Buffer
	wrap  bool // buf is not ours to free
	uses  int  // reads to come: by operations, their backward steps, and keepers
	adds  int  // backward steps to come that may add to its gradient
	keep  bool
	freed bool
	needs bool // a gradient is wanted here or before
	want  bool // by the user
	grad  *gradient
	found device.Buffer // the gradient that the user wanted
}

// gradient is a buffer that several tensors may share until one writes it.
type gradient struct {
	buf  device.Buffer
	refs int
}

// Shape is the tensor's shape; the caller must not change it.
func (x *Tensor) Shape() []int { return x.shape }

// Dim returns the length of axis i, 0 if there is no such axis (as after an
// error on the tape).
func (x *Tensor) Dim(i int) int {
	if i < 0 || i >= len(x.shape) {
		return 0
	}
	return x.shape[i]
}

func (x *Tensor) size() int {
	n := 1
	for _, d := range x.shape {
		n *= d
	}
	return n
}

// rows is the number of rows of the matrix [rows, C].
func (x *Tensor) rows() int {
	n := 1
	for _, d := range x.shape[:len(x.shape)-1] {
		n *= d
	}
	return n
}

func (x *Tensor) channels() int { return x.shape[len(x.shape)-1] }

// made is the operation that computes x, nil for an input.
func (x *Tensor) made() op {
	if x.from == nil {
		return nil
	}
	return x.from.op
}

// Keep makes the tape hold the tensor's value until Reset, so that it can be
// read after Eval even if other operations have used it.
func (x *Tensor) Keep() *Tensor {
	x.keep = true
	return x
}

type node struct {
	op     op
	layer  string // for errors
	in     []*Tensor
	out    *Tensor
	params []*Param
	back   bool // a backward step may follow; fixed when the node is recorded
}

// op is one operation. Its forward method computes n.out from n.in, its
// backward method turns n.out.grad into gradients of inputs and parameters.
type op interface {
	// kind names the operation in errors, and in counts.
	kind() string
	// macs counts multiply-accumulates of the forward pass, 0 for what is
	// not a product.
	macs() int64
	forward(t *Tape, n *node)
	backward(t *Tape, n *node)
	// reads says what backward needs: input i, the output.
	readsIn(i int) bool
	readsOut() bool
}

// inPlacer is an op whose output may take over the memory of one input.
type inPlacer interface{ inPlace(i int) bool }

// NewTape returns a tape that computes on dev; nil means a new device with
// default options.
func NewTape(m Mode, dev *Device) *Tape {
	if dev == nil {
		dev = NewDevice(DeviceOptions{})
	}
	return &Tape{mode: m, dev: dev, b: dev.backend}
}

// Mode is what the tape is for.
func (t *Tape) Mode() Mode { return t.mode }

// Training reports whether the tape trains.
func (t *Tape) Training() bool { return t.mode == Training }

// Err is the first error of an operation, nil if all is well.
func (t *Tape) Err() error { return t.err }

// Seed sets what the masks of dropout and drop path are drawn from: the seed
// of the training and the number of the step.
func (t *Tape) Seed(seed, step uint64) { t.seed, t.step = seed, step }

// fail records the first error. layer may be empty.
func (t *Tape) fail(layer, kind, format string, args ...any) {
	if t.err != nil {
		return
	}
	var s strings.Builder
	s.WriteString("nn: ")
	if layer != "" {
		s.WriteString(layer + ": ")
	}
	s.WriteString(kind + ": ")
	t.err = fmt.Errorf(s.String()+format, args...)
}

// Fail puts an error on the tape, for models that find their own reasons.
func (t *Tape) Fail(err error) {
	if t.err == nil && err != nil {
		t.err = err
	}
}

func (t *Tape) empty() *Tensor { return &Tensor{tape: t} }

// Input puts a batch on the tape. Its values must stay as they are until the
// tape ran. The tensor must be float32 and contiguous.
func (t *Tape) Input(x *tensor.Dense) *Tensor {
	if t.err != nil {
		return t.empty()
	}
	data, shape, err := Floats(x)
	if err != nil {
		t.Fail(err)
		return t.empty()
	}
	return t.InputFloats(data, shape...)
}

// InputFloats puts values on the tape without copying them.
func (t *Tape) InputFloats(x []float32, shape ...int) *Tensor {
	if t.err != nil {
		return t.empty()
	}
	n, ok := volume(shape)
	if !ok {
		t.fail("", "input", "shape %v has an empty axis or is too large", shape)
		return t.empty()
	}
	if n != len(x) || len(shape) == 0 {
		t.fail("", "input", "%d values for shape %v", len(x), shape)
		return t.empty()
	}
	return &Tensor{tape: t, shape: slices.Clone(shape), buf: t.b.Wrap(x), wrap: true}
}

// Describe puts an input on the tape that has a shape and no values: good for
// recording, and thereby for checking shapes and counting operations, but not
// for Eval.
func (t *Tape) Describe(shape ...int) *Tensor {
	if _, ok := volume(shape); !ok || len(shape) == 0 {
		t.fail("", "input", "shape %v is empty or too large", shape)
		return t.empty()
	}
	return &Tensor{tape: t, shape: slices.Clone(shape), wrap: true}
}

// maxElements bounds a tensor: 256 GB. It keeps products of lengths from
// overflowing.
const maxElements = 1 << 36

// volume is the number of elements of a shape, false if an axis is empty or
// there are more than maxElements.
func volume(shape []int) (int, bool) {
	n := 1
	for _, d := range shape {
		if d < 1 || d > maxElements/n {
			return 0, false
		}
		n *= d
	}
	return n, true
}

// MACs is the number of multiply-accumulates of the forward pass recorded so
// far.
func (t *Tape) MACs() int64 {
	var n int64
	for _, node := range t.nodes {
		n += node.op.macs()
	}
	return n
}

// WantGradient asks Backward for the gradient by x, an input or an activation.
// It must be called before x is used.
func (x *Tensor) WantGradient() *Tensor {
	x.needs, x.want = true, true
	return x
}

// layer reports whether a layer is there at all, as those of a model whose
// configuration failed are not.
func (t *Tape) layer(kind string, there bool) bool {
	if !there {
		t.fail("", kind, "the layer is nil")
	}
	return there
}

// ready reports whether an operation can be recorded, and puts an error on
// the tape if an operand is not usable.
func (t *Tape) ready(layer, kind string, in ...*Tensor) bool {
	if t.err != nil {
		return false
	}
	for _, x := range in {
		switch {
		case x == nil || len(x.shape) == 0:
			t.fail(layer, kind, "an operand is missing")
		case x.tape != t:
			t.fail(layer, kind, "an operand is from another tape")
		case x.freed:
			t.fail(layer, kind, "operand %v was evaluated and freed before: Keep it", x.shape)
		}
	}
	return t.err == nil
}

// known reports whether there is such an activation, and puts an error on the
// tape otherwise.
func (t *Tape) known(layer, kind string, act Activation) bool {
	if act != Identity && !slices.Contains(kernel.Activations(), act) {
		t.fail(layer, kind, "unknown %v", act)
		return false
	}
	return true
}

// record adds an operation whose operands were checked.
func (t *Tape) record(layer string, o op, shape []int, params []*Param, in ...*Tensor) *Tensor {
	if _, ok := volume(shape); !ok {
		t.fail(layer, o.kind(), "the result %v of input %v is empty or too large", shape, in[0].shape)
		return t.empty()
	}
	n := &node{op: o, layer: layer, in: in, params: params, out: &Tensor{tape: t, shape: shape}}
	n.out.from = n
	if t.mode == Training {
		for _, p := range params {
			n.out.needs = n.out.needs || p != nil && p.kind == Learnable
		}
		for _, x := range in {
			n.out.needs = n.out.needs || x.needs
		}
	}
	n.back = n.out.needs
	for i, x := range in {
		x.uses++
		if n.back && o.readsIn(i) {
			x.uses++
		}
		if n.back {
			x.adds++
		}
	}
	if n.back && o.readsOut() {
		n.out.uses++
	}
	t.nodes = append(t.nodes, n)
	return n.out
}

// Eval runs what was recorded and keeps the values of xs.
func (t *Tape) Eval(xs ...*Tensor) error {
	for _, x := range xs {
		if t.ready("", "eval", x) {
			x.keep = true
		}
	}
	if t.err != nil {
		return t.err
	}
	t.run()
	for _, x := range xs {
		if t.err == nil && x.buf == nil {
			t.fail("", "eval", "tensor %v has no values", x.shape)
		}
	}
	return t.err
}

func (t *Tape) run() {
	for ; t.ran < len(t.nodes) && t.err == nil; t.ran++ {
		n := t.nodes[t.ran]
		for _, p := range n.params {
			if p != nil && p.data == nil && p.kind != Counter && !(p.gone && t.take) {
				t.fail(n.layer, n.op.kind(), "parameter %s has no values: Initialize or Load the model first", p.name)
				return
			}
		}
		for _, x := range n.in {
			if x.buf == nil {
				t.fail(n.layer, n.op.kind(), "operand %v has no values", x.shape)
				return
			}
		}
		n.op.forward(t, n)
		for _, x := range n.in {
			t.release(x)
		}
		if n.out.uses == 0 && !n.out.keep {
			t.free(n.out)
		}
	}
}

// out allocates the output of n, taking over an input's memory if the
// operation allows it and nobody else reads that input.
func (t *Tape) out(n *node) device.Buffer {
	if ip, ok := n.op.(inPlacer); ok {
		for i, x := range n.in {
			if ip.inPlace(i) && x.uses == 1 && !x.keep && !x.wrap && x.buf.Len() == n.out.size() {
				n.out.buf, x.buf, x.freed = x.buf, nil, true
				return n.out.buf
			}
		}
	}
	n.out.buf = t.b.Alloc(n.out.size())
	return n.out.buf
}

// value is the buffer of input i, which is the output's when in place.
func (n *node) value(i int) device.Buffer {
	if n.in[i].buf == nil {
		return n.out.buf
	}
	return n.in[i].buf
}

func (t *Tape) release(x *Tensor) {
	if x.uses--; x.uses <= 0 && !x.keep {
		t.free(x)
	}
}

func (t *Tape) free(x *Tensor) {
	if x.wrap {
		return
	}
	if x.buf != nil {
		t.b.Free(x.buf)
		x.buf = nil
	}
	x.freed = true
}

// Floats runs the tape as far as needed and returns the values of x in the
// tape's own memory: valid until Reset.
func (x *Tensor) Floats() ([]float32, error) {
	if err := x.tape.Eval(x); err != nil {
		return nil, err
	}
	return x.tape.b.Host(x.buf), nil
}

// Value runs the tape as far as needed and returns a copy of x.
func (x *Tensor) Value() (*tensor.Dense, error) {
	v, err := x.Floats()
	if err != nil {
		return nil, err
	}
	return tensor.New(tensor.WithShape(x.shape...), tensor.WithBacking(slices.Clone(v))), nil
}

// ErrNoGradient is returned by Backward on a tape that cannot run it.
var ErrNoGradient = errors.New("no gradient")

// Backward runs what was recorded and then the backward steps of everything
// that led to loss, whose elements' sum is what is differentiated. Each
// activation is freed after its last use. It can be called once between
// Resets.
func (t *Tape) Backward(loss *Tensor) error {
	if err := t.Eval(loss); err != nil {
		return err
	}
	if t.mode != Training {
		return fmt.Errorf("nn: backward on a tape for %s: %w", t.mode, ErrNoGradient)
	}
	if t.grads != nil {
		return fmt.Errorf("nn: backward was run already: %w", ErrNoGradient)
	}
	if !loss.needs {
		return fmt.Errorf("nn: the loss depends on no parameter: %w", ErrNoGradient)
	}
	t.grads = map[*Param]device.Buffer{}
	seed := t.b.Alloc(loss.size())
	t.b.Fill(seed, 1)
	loss.grad = &gradient{buf: seed, refs: 1}
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := t.nodes[i]
		if n.out.grad != nil {
			t.noteGrad(n.out)
			if n.back {
				n.op.backward(t, n)
			}
			t.dropGrad(n.out)
		}
		if !n.back {
			continue
		}
		t.drop(n)
		for j, x := range n.in {
			x.adds--
			if n.op.readsIn(j) {
				t.release(x)
			}
		}
		if n.op.readsOut() {
			t.release(n.out)
		}
	}
	for _, n := range t.nodes {
		for _, x := range n.in {
			t.noteGrad(x) // inputs: no node made them
		}
	}
	t.noteGrad(loss) // and a loss that is one
	t.dropGrad(loss)
	return t.err
}

// noteGrad copies a gradient that the user wants to see.
func (t *Tape) noteGrad(x *Tensor) {
	if x.want && x.grad != nil && x.found == nil {
		x.found = t.b.Alloc(x.grad.buf.Len())
		t.b.Copy(x.found, x.grad.buf)
		t.noted = append(t.noted, x)
	}
}

// drop frees what an operation kept for its backward step.
func (t *Tape) drop(n *node) {
	if o, ok := n.op.(interface{ drop(*Tape) }); ok {
		o.drop(t)
	}
}

// addGrad hands a buffer to x as (part of) its gradient. The tape owns it.
func (t *Tape) addGrad(x *Tensor, buf device.Buffer) { t.shareGrad(x, &gradient{buf: buf}) }

// intoGrad has f write a gradient of x, or add it to the one that x has, if it
// holds that alone.
func (t *Tape) intoGrad(x *Tensor, f func(dx device.Buffer, accumulate bool)) {
	if g := x.grad; g != nil && g.refs == 1 {
		f(g.buf, true)
		return
	}
	dx := t.b.Alloc(x.size())
	f(dx, false)
	t.addGrad(x, dx)
}

// lastGrad reports whether intoGrad completes the gradient of x in a backward
// step that adds to it once, so that its own backward step may be begun.
func (x *Tensor) lastGrad() bool {
	return x.adds == 1 && !x.want && (x.grad == nil || x.grad.refs == 1)
}

// shareGrad gives x a gradient that others may hold too.
func (t *Tape) shareGrad(x *Tensor, g *gradient) {
	if !x.needs {
		if g.refs == 0 {
			t.b.Free(g.buf)
		}
		return
	}
	g.refs++
	if x.grad == nil {
		x.grad = g
		return
	}
	a, b := x.grad, g
	switch {
	case a.refs == 1:
	case b.refs == 1:
		a, b = b, a
	default:
		sum := &gradient{buf: t.b.Alloc(a.buf.Len()), refs: 1}
		t.b.Add(sum.buf, a.buf, b.buf)
		a.refs--
		b.refs--
		x.grad = sum
		return
	}
	t.b.Add(a.buf, a.buf, b.buf)
	x.grad = a
	if b.refs--; b.refs == 0 {
		t.b.Free(b.buf)
	}
}

// takeGrad returns the gradient of x as a buffer the caller may overwrite and
// must hand on or free.
func (t *Tape) takeGrad(x *Tensor) device.Buffer {
	g := x.grad
	x.grad = nil
	if g.refs--; g.refs == 0 {
		return g.buf
	}
	buf := t.b.Alloc(g.buf.Len())
	t.b.Copy(buf, g.buf)
	return buf
}

func (t *Tape) dropGrad(x *Tensor) {
	if x.grad == nil {
		return
	}
	if x.grad.refs--; x.grad.refs == 0 {
		t.b.Free(x.grad.buf)
	}
	x.grad = nil
}

// allocGrad allocates memory for the gradient of p, none for nil.
func (t *Tape) allocGrad(p *Param) device.Buffer {
	if p == nil {
		return nil
	}
	return t.b.Alloc(p.Len())
}

// paramGrad hands a buffer to p as (part of) its gradient. It does nothing for
// nil.
func (t *Tape) paramGrad(p *Param, buf device.Buffer) {
	if p == nil {
		return
	}
	if old, ok := t.grads[p]; ok {
		t.b.Add(old, old, buf)
		t.b.Free(buf)
		return
	}
	t.grads[p] = buf
}

// Gradient returns the gradient of a parameter after Backward, in the order of
// p.Data: the tape's own memory, valid until Reset. It is nil if the loss does
// not depend on p.
func (t *Tape) Gradient(p *Param) []float32 {
	if g, ok := t.grads[p]; ok {
		return t.b.Host(g)
	}
	return nil
}

// Gradient returns the gradient by a tensor that WantGradient was called on,
// after Backward: the tape's own memory, valid until Reset.
func (x *Tensor) Gradient() []float32 {
	if x.found == nil {
		return nil
	}
	return x.tape.b.Host(x.found)
}

// Reset forgets all tensors and the error and takes back their memory for the
// next batch. Weights may have changed until then.
func (t *Tape) Reset() {
	if t.own {
		t.prep, t.own = nil, false
	}
	for _, n := range t.nodes {
		for _, x := range append(n.in[:len(n.in):len(n.in)], n.out) {
			t.free(x)
			t.dropGrad(x)
		}
		t.drop(n)
	}
	for _, x := range t.noted {
		t.b.Free(x.found)
		x.found = nil
	}
	for _, g := range t.grads {
		t.b.Free(g)
	}
	clear(t.nodes)
	t.nodes, t.ran, t.grads, t.noted, t.err = t.nodes[:0], 0, nil, nil, nil
}

// param is the device's view of a parameter.
func (t *Tape) param(p *Param) device.Buffer {
	if p == nil {
		return nil
	}
	return t.b.Wrap(p.data)
}

// Floats returns the values of a float32 tensor without copying, with its
// shape.
func Floats(x *tensor.Dense) ([]float32, []int, error) {
	if x == nil {
		return nil, nil, errors.New("nn: tensor is nil")
	}
	if x.Dtype() != tensor.Float32 {
		return nil, nil, fmt.Errorf("nn: tensor of %v, want float32", x.Dtype())
	}
	if !x.DataOrder().IsContiguous() || x.DataOrder().IsColMajor() || x.RequiresIterator() {
		return nil, nil, fmt.Errorf("nn: tensor %v is a view or not row-major: Materialize it first", x.Shape())
	}
	switch data := x.Data().(type) {
	case []float32:
		return data, x.Shape(), nil
	case float32:
		return []float32{data}, x.Shape(), nil
	}
	return nil, nil, fmt.Errorf("nn: tensor %v holds %T", x.Shape(), x.Data())
}
