package train

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/internal/kernel/elementwise"
	"github.com/winnow-go/winnow/nn"
)

// Update is a parameter and its gradient, in the order of the parameter's
// Data.
type Update struct {
	Param    *nn.Param
	Gradient []float32
}

// Optimizer moves parameters by their gradients. It keeps state per parameter
// and belongs to one training.
type Optimizer interface {
	// Step makes one step with learning rate lr; gradients count scale times
	// (1 unless clipped).
	Step(updates []Update, lr, scale float64) error
}

// DecayMatrices decays what has at least two axes longer than 1: weights of
// convolutions and linear layers, but neither biases nor norms nor layer scales,
// whatever shape these have ([C], [C,1,1]).
func DecayMatrices(p *nn.Param) bool { return p.Dims() > 1 }

// DecayAll decays every parameter.
func DecayAll(*nn.Param) bool { return true }

// SGD is stochastic gradient descent as torch.optim.SGD computes it, with
// dampening 0; weight decay is added to the gradient.
type SGD struct {
	Momentum    float64
	Nesterov    bool // needs momentum
	WeightDecay float64
	Decay       func(*nn.Param) bool // what WeightDecay applies to; nil means DecayAll

	velocity map[*nn.Param][]float32
}

// Step makes one step.
func (o *SGD) Step(updates []Update, lr, scale float64) error {
	return o.stepOn(nil, updates, lr, scale)
}

func (o *SGD) stepOn(dev *nn.Device, updates []Update, lr, scale float64) error {
	if !(o.Momentum >= 0) || !(o.WeightDecay >= 0) || o.Nesterov && o.Momentum == 0 {
		return fmt.Errorf("train: SGD with momentum %v, Nesterov %v, weight decay %v", o.Momentum, o.Nesterov, o.WeightDecay)
	}
	if o.velocity == nil {
		o.velocity = map[*nn.Param][]float32{}
	}
	type how struct {
		velocity []float32
		first    bool
		decay    float32
	}
	hows := make([]how, len(updates))
	for i, u := range updates {
		h := &hows[i]
		if o.Momentum != 0 {
			if h.velocity = o.velocity[u.Param]; h.velocity == nil {
				h.velocity, h.first = make([]float32, len(u.Gradient)), true
				o.velocity[u.Param] = h.velocity
			}
		}
		if o.Decay == nil || o.Decay(u.Param) {
			h.decay = float32(o.WeightDecay)
		}
	}
	pieces := cut(updates)
	dev.Each(len(pieces), func(i int) {
		p := &pieces[i]
		h := hows[p.of]
		if h.velocity != nil {
			h.velocity = h.velocity[p.lo:p.hi]
		}
		elementwise.SGD(p.data(), p.gradient(), h.velocity, float32(lr), float32(o.Momentum), h.decay, float32(scale), o.Nesterov, h.first)
	})
	return nil
}

// AdamW is Adam with decoupled weight decay (Loshchilov, Hutter 2019,
// arXiv:1711.05101) as torch.optim.AdamW computes it.
type AdamW struct {
	Beta1       float64 // 0 means 0.9
	Beta2       float64 // 0 means 0.999
	Epsilon     float64 // 0 means 1e-8
	WeightDecay float64
	Decay       func(*nn.Param) bool // what WeightDecay applies to; nil means DecayMatrices

	state map[*nn.Param]*adamState
}

type adamState struct {
	m, v []float32
	t    int
}

// Step makes one step.
func (o *AdamW) Step(updates []Update, lr, scale float64) error {
	return o.stepOn(nil, updates, lr, scale)
}

func (o *AdamW) stepOn(dev *nn.Device, updates []Update, lr, scale float64) error {
	b1, b2, eps, decays := o.Beta1, o.Beta2, o.Epsilon, o.Decay
	if b1 == 0 {
		b1 = 0.9
	}
	if b2 == 0 {
		b2 = 0.999
	}
	if eps == 0 {
		eps = 1e-8
	}
	if decays == nil {
		decays = DecayMatrices
	}
	if !(b1 >= 0 && b1 < 1 && b2 >= 0 && b2 < 1 && eps > 0 && o.WeightDecay >= 0) {
		return fmt.Errorf("train: AdamW with betas %v and %v, epsilon %v, weight decay %v", b1, b2, eps, o.WeightDecay)
	}
	if o.state == nil {
		o.state = map[*nn.Param]*adamState{}
	}
	type how struct {
		*adamState
		elementwise.AdamWStep
	}
	hows := make([]how, len(updates))
	for i, u := range updates {
		s := o.state[u.Param]
		if s == nil {
			s = &adamState{m: make([]float32, len(u.Gradient)), v: make([]float32, len(u.Gradient))}
			o.state[u.Param] = s
		}
		s.t++
		hows[i] = how{s, elementwise.AdamWStep{
			LR: lr, Beta1: b1, Beta2: b2, Eps: eps, GradScale: scale,
			Correction1: 1 - math.Pow(b1, float64(s.t)), Correction2: 1 - math.Pow(b2, float64(s.t)),
		}}
		if decays(u.Param) {
			hows[i].WeightDecay = o.WeightDecay
		}
	}
	pieces := cut(updates)
	dev.Each(len(pieces), func(i int) {
		p := &pieces[i]
		h := &hows[p.of]
		elementwise.AdamW(p.data(), p.gradient(), h.m[p.lo:p.hi], h.v[p.lo:p.hi], h.AdamWStep)
	})
	return nil
}

// gradNorm is the L2 norm of all gradients together.
func gradNorm(dev *nn.Device, updates []Update) float64 {
	pieces := cut(updates)
	squares := make([]float64, len(pieces))
	dev.Each(len(pieces), func(i int) { squares[i] = elementwise.SumSquares(pieces[i].gradient()) })
	var sum float64
	for _, s := range squares {
		sum += s
	}
	return math.Sqrt(sum)
}

// clip is the factor that brings a gradient of the given norm down to limit,
// as torch.nn.utils.clip_grad_norm_ has it: limit/(norm+1e-6), at most 1.
func clip(norm, limit float64) float64 {
	if limit <= 0 {
		return 1
	}
	return min(1, limit/(norm+1e-6))
}
