package nn_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/nn"
)

// slopes holds the gradients of the parameters and the inputs of f to central
// differences of its result times random factors: in float32 that shows a
// forgotten or a misplaced term, not the digits.
func slopes(t *testing.T, params []*nn.Param, inputs [][]float32, f func(t *nn.Tape, in [][]float32) (y *nn.Tensor, of []*nn.Tensor)) {
	t.Helper()
	dev := nn.NewDevice(nn.DeviceOptions{Threads: 2})
	tape := nn.NewTape(nn.Training, dev)
	y, of := f(tape, inputs)
	w := normal(size(y.Shape()...), 77)
	if err := tape.Backward(tape.Dot(y, w)); err != nil {
		t.Fatal(err)
	}
	var values, grads [][]float32
	var names []string
	for i, x := range of {
		values, grads, names = append(values, inputs[i]), append(grads, slices.Clone(x.Gradient())), append(names, "an input")
	}
	for _, p := range params {
		if p.Kind() == nn.Learnable {
			values, grads, names = append(values, p.Data()), append(grads, slices.Clone(tape.Gradient(p))), append(names, p.Name())
		}
	}
	tape.Reset()
	noLeak(t, dev)
	loss := func() float64 {
		y, _ := f(tape, inputs)
		sum := 0.0
		for i, v := range floats(t, y) {
			sum += float64(v) * float64(w[i])
		}
		tape.Reset()
		return sum
	}
	const h = 1.0 / 64
	for i, v := range values {
		if len(grads[i]) != len(v) {
			t.Fatalf("%s has %d elements and %d of gradient", names[i], len(v), len(grads[i]))
		}
		largest := 1e-3
		for _, g := range grads[i] {
			largest = max(largest, math.Abs(float64(g)))
		}
		for j := range v {
			old := v[j]
			v[j] = old + h
			up := loss()
			v[j] = old - h
			slope := (up - loss()) / (2 * h)
			v[j] = old
			if d := math.Abs(slope - float64(grads[i][j])); !(d < 1e-2*largest) {
				t.Errorf("%s: element %d has gradient %v, the slope is %v", names[i], j, grads[i][j], slope)
				break
			}
		}
	}
	noLeak(t, dev)
}

func TestEmbeddingLooksUpRows(t *testing.T) {
	s := nn.NewScope()
	l := nn.NewEmbedding(s.Sub("tokens"), 5, 3, nil)
	m := newLayer(s, nil)
	nn.Initialize(m, 1)
	if l.Weight.Name() != "tokens.weight" {
		t.Errorf("the table is called %s", l.Weight.Name())
	}
	ids := []int32{4, 0, 4, 2, 2, 4}
	tape := nn.NewTape(nn.Training, nil)
	y := l.Forward(tape, ids, 2).Keep()
	w := normal(18, 3)
	ids[0] = 1 // the tape has its own
	if err := tape.Backward(tape.Dot(y, w)); err != nil {
		t.Fatal(err)
	}
	ids[0] = 4
	if !slices.Equal(y.Shape(), []int{2, 3, 3}) {
		t.Errorf("shape %v", y.Shape())
	}
	want := make([]float32, 15)
	for i, id := range ids {
		if got := floats(t, y)[3*i : 3*i+3]; !slices.Equal(got, l.Weight.Data()[3*id:3*id+3]) {
			t.Errorf("token %d: %v", i, got)
		}
		for c := range 3 {
			want[3*int(id)+c] += w[3*i+c]
		}
	}
	if !slices.Equal(tape.Gradient(l.Weight), want) {
		t.Errorf("gradient %v, want %v", tape.Gradient(l.Weight), want)
	}
	tape.Reset()
	for name, f := range map[string]func() *nn.Tensor{
		"beyond the table":    func() *nn.Tensor { return l.Forward(tape, []int32{1, 5}, 1) },
		"negative":            func() *nn.Tensor { return l.Forward(tape, []int32{-1}, 1) },
		"none":                func() *nn.Tensor { return l.Forward(tape, nil, 1) },
		"of unequal length":   func() *nn.Tensor { return l.Forward(tape, []int32{1, 1, 1}, 2) },
		"no sequence":         func() *nn.Tensor { return l.Forward(tape, []int32{1}, 0) },
		"without the layer":   func() *nn.Tensor { return (*nn.Embedding)(nil).Forward(tape, []int32{1}, 1) },
		"of a table unfilled": func() *nn.Tensor { return nn.NewEmbedding(nn.NewScope(), 2, 2, nil).Forward(tape, []int32{1}, 1) },
	} {
		calm(t, func() {
			if err := tape.Eval(f()); err == nil || !strings.Contains(err.Error(), "embedding") {
				t.Errorf("tokens %s: %v", name, err)
			}
		})
		tape.Reset()
	}
}

func TestTokensArePutTogetherAndChosen(t *testing.T) {
	s := nn.NewScope()
	class, positions := s.Param("class", nn.Normal(1), 3), s.Param("positions", nn.Normal(1), 6, 3)
	m := newLayer(s, nil)
	nn.Initialize(m, 4)
	x, each := normal(2*4*3, 5), normal(2*3, 6)

	tape := nn.NewTape(nn.Inference, nil)
	in := tape.InputFloats(x, 2, 2, 2, 3)
	shared := tape.Prepend(in, class).Keep()
	own := tape.PrependEach(in, tape.InputFloats(each, 2, 3)).Keep()
	moved := tape.AddPositions(shared, positions).Keep()
	chosen := tape.SelectTokens(moved, []int{4, 1}).Keep()
	if err := tape.Eval(own, chosen); err != nil {
		t.Fatal(err)
	}
	at := func(y *nn.Tensor, n, i int) []float32 { return floats(t, y)[(n*5+i)*3:][:3] }
	for n := range 2 {
		for i := range 5 {
			want, wantOwn := class.Data(), each[n*3:][:3]
			if i > 0 {
				want = x[(n*4+i-1)*3:][:3]
				wantOwn = want
			}
			if !slices.Equal(at(shared, n, i), want) || !slices.Equal(at(own, n, i), wantOwn) {
				t.Errorf("token %d of sequence %d: %v and %v, want %v and %v", i, n, at(shared, n, i), at(own, n, i), want, wantOwn)
			}
			for c, v := range at(moved, n, i) {
				if v != want[c]+positions.Data()[3*i+c] {
					t.Errorf("token %d of sequence %d, moved: element %d is %v", i, n, c, v)
				}
			}
		}
		if got := floats(t, chosen)[3*n:][:3]; !slices.Equal(got, at(moved, n, []int{4, 1}[n])) {
			t.Errorf("chosen %v", got)
		}
	}
	if !slices.Equal(shared.Shape(), []int{2, 5, 3}) || !slices.Equal(chosen.Shape(), []int{2, 3}) {
		t.Errorf("shapes %v and %v", shared.Shape(), chosen.Shape())
	}

	slopes(t, s.Params(), [][]float32{x, each}, func(tape *nn.Tape, in [][]float32) (*nn.Tensor, []*nn.Tensor) {
		a, b := tape.InputFloats(in[0], 2, 2, 2, 3).WantGradient(), tape.InputFloats(in[1], 2, 3).WantGradient()
		y := tape.AddPositions(tape.Prepend(a, class), positions)                      // five of six positions
		z := tape.AddPositions(tape.Prepend(tape.PrependEach(a, b), class), positions) // all six
		return tape.Add(tape.SelectTokens(y, []int{4, 0}), tape.SelectTokens(z, []int{1, 1})), []*nn.Tensor{a, b}
	})

	for name, f := range map[string]func(t *nn.Tape) *nn.Tensor{
		"class of other channels": func(t *nn.Tape) *nn.Tensor { return t.Prepend(ones(t, 2, 3, 4), class) },
		"no class":                func(t *nn.Tape) *nn.Tensor { return t.Prepend(ones(t, 2, 3, 3), nil) },
		"rows alone":              func(t *nn.Tape) *nn.Tensor { return t.Prepend(ones(t, 2, 3), class) },
		"other samples":           func(t *nn.Tape) *nn.Tensor { return t.PrependEach(ones(t, 2, 3, 3), ones(t, 1, 3)) },
		"no tokens":               func(t *nn.Tape) *nn.Tensor { return t.PrependEach(ones(t, 2, 3, 3), nil) },
		"too few positions":       func(t *nn.Tape) *nn.Tensor { return t.AddPositions(ones(t, 2, 7, 3), positions) },
		"positions of images":     func(t *nn.Tape) *nn.Tensor { return t.AddPositions(ones(t, 2, 2, 2, 3), positions) },
		"no positions":            func(t *nn.Tape) *nn.Tensor { return t.AddPositions(ones(t, 2, 2, 3), nil) },
		"flat positions":          func(t *nn.Tape) *nn.Tensor { return t.AddPositions(ones(t, 2, 1, 3), class) },
		"beyond the sequence":     func(t *nn.Tape) *nn.Tensor { return t.SelectTokens(ones(t, 2, 2, 3), []int{1, 2}) },
		"before the sequence":     func(t *nn.Tape) *nn.Tensor { return t.SelectTokens(ones(t, 2, 2, 3), []int{1, -1}) },
		"too few chosen":          func(t *nn.Tape) *nn.Tensor { return t.SelectTokens(ones(t, 2, 2, 3), []int{1}) },
		"chosen rows":             func(t *nn.Tape) *nn.Tensor { return t.SelectTokens(ones(t, 2, 3), []int{0, 0}) },
	} {
		calm(t, func() {
			for _, mode := range []nn.Mode{nn.Inference, nn.Training} {
				tape := nn.NewTape(mode, nil)
				if err := tape.Eval(f(tape)); err == nil {
					t.Errorf("%s, %s: no error", name, mode)
				}
			}
		})
	}
}

func TestAttentionPoolLooksAtAllPixels(t *testing.T) {
	s := nn.NewScope()
	l := nn.NewAttentionPool(s.Sub("pool"), 6, 8, 2, 5)
	nn.Initialize(newLayer(s, nil), 1)
	for _, p := range s.Params() { // biases that are not zero, scores that differ
		for i, v := range normal(p.Len(), uint64(p.Len())) {
			p.Data()[i] = v / 2
		}
	}
	var names []string
	for _, p := range s.Params() {
		names = append(names, strings.TrimPrefix(p.Name(), "pool."))
	}
	if want := strings.Fields("positional_embedding k_proj.weight k_proj.bias q_proj.weight q_proj.bias v_proj.weight v_proj.bias c_proj.weight c_proj.bias"); !slices.Equal(names, want) {
		t.Errorf("parameters %v, want %v", names, want)
	}
	x := normal(2*6*8, 9)
	slopes(t, s.Params(), [][]float32{x}, func(tape *nn.Tape, in [][]float32) (*nn.Tensor, []*nn.Tensor) {
		a := tape.InputFloats(in[0], 2, 2, 3, 8).WantGradient()
		return l.Forward(tape, a), []*nn.Tensor{a}
	})

	// It is attention of all tokens to all, of which the first is kept.
	all := nn.NewScope()
	full := nn.NewAttention(all, 8, 2, false)
	nn.Initialize(newLayer(all, nil), 1)
	copy(full.InWeight.Data(), slices.Concat(l.Query.Weight.Data(), l.Key.Weight.Data(), l.Value.Weight.Data()))
	copy(full.InBias.Data(), slices.Concat(l.Query.Bias.Data(), l.Key.Bias.Data(), l.Value.Bias.Data()))
	for i := range full.OutWeight.Data() {
		full.OutWeight.Data()[i] = 0
		if i%9 == 0 {
			full.OutWeight.Data()[i] = 1
		}
	}
	tape := nn.NewTape(nn.Inference, nil)
	img := tape.InputFloats(x, 2, 2, 3, 8)
	got := l.Forward(tape, img).Keep()
	seq := tape.AddPositions(tape.PrependEach(img, tape.GlobalPool(img)), l.Positions)
	want := l.Out.Forward(tape, tape.SelectTokens(full.Forward(tape, seq), []int{0, 0}), nn.Epilogue{}).Keep()
	for i, v := range floats(t, want) {
		if d := math.Abs(float64(floats(t, got)[i] - v)); d > 1e-5 {
			t.Errorf("element %d is %v, want %v", i, floats(t, got)[i], v)
		}
	}
	for name, f := range map[string]func(t *nn.Tape) *nn.Tensor{
		"pixels":   func(t *nn.Tape) *nn.Tensor { return l.Forward(t, ones(t, 2, 3, 3, 8)) },
		"channels": func(t *nn.Tape) *nn.Tensor { return l.Forward(t, ones(t, 2, 2, 3, 7)) },
		"rows":     func(t *nn.Tape) *nn.Tensor { return l.Forward(t, ones(t, 2, 8)) },
		"heads": func(t *nn.Tape) *nn.Tensor {
			return nn.NewAttentionPool(nn.NewScope(), 6, 8, 3, 5).Forward(t, ones(t, 2, 2, 3, 8))
		},
		"layer": func(t *nn.Tape) *nn.Tensor { return (*nn.AttentionPool)(nil).Forward(t, ones(t, 2, 2, 3, 8)) },
	} {
		calm(t, func() {
			tape := nn.NewTape(nn.Training, nil)
			if err := tape.Eval(f(tape)); err == nil {
				t.Errorf("wrong %s: no error", name)
			}
		})
	}
}

func TestAttentionAtOneTokenIsThatTokensPart(t *testing.T) {
	s := nn.NewScope()
	l := nn.NewAttention(s.Sub("attn"), 6, 2, true)
	nn.Initialize(newLayer(s, nil), 1)
	x := normal(2*4*6, 3)
	at := []int{3, 1}
	tape := nn.NewTape(nn.Inference, nil)
	in := tape.InputFloats(x, 2, 4, 6)
	all := tape.SelectTokens(l.Apply(tape, in, nn.Epilogue{Residual: in}), at).Keep()
	one := l.At(tape, in, at, nn.Epilogue{Residual: tape.SelectTokens(in, at)}).Keep()
	if !slices.Equal(floats(t, one), floats(t, all)) || !slices.Equal(one.Shape(), []int{2, 6}) {
		t.Errorf("%v, want %v", floats(t, one), floats(t, all))
	}
	slopes(t, s.Params(), [][]float32{x}, func(tape *nn.Tape, in [][]float32) (*nn.Tensor, []*nn.Tensor) {
		x := tape.InputFloats(in[0], 2, 4, 6).WantGradient()
		return l.At(tape, x, at, nn.Epilogue{Residual: tape.SelectTokens(x, at)}), []*nn.Tensor{x}
	})
	for name, index := range map[string][]int{"none": nil, "too few": {0}, "beyond": {0, 4}} {
		tape := nn.NewTape(nn.Training, nil)
		if err := tape.Eval(l.At(tape, ones(tape, 2, 4, 6), index, nn.Epilogue{})); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
