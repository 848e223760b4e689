package train_test

import (
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/train"
)

// scale is a parameter of one element with a value.
func scale(v float32) *nn.Param {
	s := nn.NewScope()
	p := s.Param("logit_scale", nn.Constant(v))
	nn.Initialize(parameters{p}, 0)
	return p
}

type parameters []*nn.Param

func (p parameters) Params() []*nn.Param                         { return p }
func (p parameters) Forward(_ *nn.Tape, x *nn.Tensor) *nn.Tensor { return x }

// contrastive is the definition in float64.
func contrastive(images, texts []float32, n, e int, logScale float64) float64 {
	unit := func(x []float32, i int) []float64 {
		sum, y := 0.0, make([]float64, e)
		for j := range y {
			y[j] = float64(x[i*e+j])
			sum += y[j] * y[j]
		}
		for j := range y {
			y[j] /= math.Sqrt(sum)
		}
		return y
	}
	logits := make([][]float64, n)
	for i := range n {
		logits[i] = make([]float64, n)
		for j := range n {
			a, b := unit(images, i), unit(texts, j)
			for k := range a {
				logits[i][j] += a[k] * b[k]
			}
			logits[i][j] *= math.Exp(logScale)
		}
	}
	loss := 0.0
	for i := range n {
		rows, cols := 0.0, 0.0
		for j := range n {
			rows += math.Exp(logits[i][j])
			cols += math.Exp(logits[j][i])
		}
		loss += math.Log(rows) + math.Log(cols) - 2*logits[i][i]
	}
	return loss / float64(2*n)
}

func TestContrastiveLossAndItsGradients(t *testing.T) {
	const n, e = 4, 6
	p := scale(1.3)
	images, texts := make([]float32, n*e), make([]float32, n*e)
	kerneltest.Normal(images, 1, 0, 2)
	kerneltest.Normal(texts, 2, 0.3, 1)
	tape := nn.NewTape(nn.Training, nil)
	a, b := tape.InputFloats(images, n, e).WantGradient(), tape.InputFloats(texts, n, e).WantGradient()
	loss := train.Contrastive(tape, a, b, p)
	if err := tape.Backward(loss); err != nil {
		t.Fatal(err)
	}
	got, err := loss.Floats()
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	if want := contrastive(images, texts, n, e, float64(p.Data()[0])); math.Abs(float64(got[0])-want) > 1e-6 {
		t.Errorf("loss %v, want %v", got[0], want)
	}
	const h = 1e-3
	slope := func(x *float32) float64 {
		old := *x
		*x = old + h
		up, hi := contrastive(images, texts, n, e, float64(p.Data()[0])), float64(*x)
		*x = old - h
		down, lo := contrastive(images, texts, n, e, float64(p.Data()[0])), float64(*x)
		*x = old
		return (up - down) / (hi - lo)
	}
	for name, c := range map[string]struct{ values, grad []float32 }{
		"images": {images, a.Gradient()}, "texts": {texts, b.Gradient()}, "scale": {p.Data(), tape.Gradient(p)},
	} {
		for i := range c.values {
			if want := slope(&c.values[i]); math.Abs(float64(c.grad[i])-want) > 1e-5 {
				t.Errorf("%s: element %d has gradient %v, want %v", name, i, c.grad[i], want)
			}
		}
	}
}

func TestContrastiveLossOfOnePairIsZero(t *testing.T) {
	p := scale(2)
	tape := nn.NewTape(nn.Training, nil)
	a := tape.InputFloats([]float32{1, 2}, 1, 2).WantGradient()
	loss := train.Contrastive(tape, a, tape.InputFloats([]float32{3, -1}, 1, 2), p)
	if err := tape.Backward(loss); err != nil {
		t.Fatal(err)
	}
	got, _ := loss.Floats()
	if got[0] != 0 || a.Gradient()[0] != 0 || tape.Gradient(p)[0] != 0 {
		t.Errorf("loss %v, gradients %v and %v", got, a.Gradient(), tape.Gradient(p))
	}
}

func TestContrastiveWantsPairs(t *testing.T) {
	p := scale(0)
	for name, shapes := range map[string][2][]int{
		"texts that are missing": {{3, 4}, {2, 4}}, "other elements": {{3, 4}, {3, 5}}, "images": {{3, 2, 2, 4}, {3, 4}},
	} {
		tape := nn.NewTape(nn.Training, nil)
		if err := tape.Eval(train.Contrastive(tape, tape.Describe(shapes[0]...), tape.Describe(shapes[1]...), p)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	tape := nn.NewTape(nn.Training, nil)
	if err := tape.Eval(train.Contrastive(tape, nil, nil, p)); err == nil {
		t.Error("nothing: no error")
	}
	if err := tape.Eval(train.Contrastive(nn.NewTape(nn.Training, nil), tape.Describe(1, 2), tape.Describe(1, 2), nil)); err == nil {
		t.Error("no scale: no error")
	}
}

func TestClampScaleKeepsTheFactorBetween1And100(t *testing.T) {
	for v, want := range map[float32]float32{-3: 0, 0: 0, 2.6592: 2.6592, 9: float32(math.Log(100))} {
		p := scale(v)
		train.ClampScale(p)
		if p.Data()[0] != want {
			t.Errorf("%v becomes %v, want %v", v, p.Data()[0], want)
		}
	}
	s := nn.NewScope()
	train.ClampScale(s.Param("empty", nn.Zeros)) // without values: nothing to do
}
