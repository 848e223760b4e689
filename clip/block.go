package clip

import (
	"math"

	"github.com/winnow-go/winnow/nn"
)

// transformer is a sequence of blocks with the norm first (Vaswani et al. 2017,
// arXiv:1706.03762; order of Radford et al. 2019):
//
//	x = x + attention(ln_1(x))
//	x = x + c_proj(act(c_fc(ln_2(x))))
type transformer []block

type block struct {
	ln1  *nn.LayerNorm
	attn *nn.Attention
	mlp  nn.MLP // ln_2, c_fc, c_proj
}

// newTransformer declares blocks below s, with the initial values of open_clip's
// text tower: deviations of 1/√width for attention, that by √(2 layers) less
// where a block ends, 1/√(2 width) inside the MLP.
func newTransformer(s *nn.Scope, width, layers, heads, hidden int, act string, eps float64, causal bool) transformer {
	a, _ := nn.ParseActivation(act) // checked with the configuration
	var tr transformer
	w, l := float64(width), float64(max(layers, 1))
	for i := range layers {
		at := s.Sub("resblocks", i)
		var b block
		b.ln1 = nn.NewLayerNorm(at.Sub("ln_1"), width, eps)
		b.attn = nn.NewAttention(at.Sub("attn"), width, heads, causal)
		b.mlp.Norm = nn.NewLayerNorm(at.Sub("ln_2"), width, eps)
		b.mlp.FC1 = nn.NewLinear(at.Sub("mlp", "c_fc"), nn.LinearConfig{In: width, Out: hidden, Init: nn.Normal(1 / math.Sqrt(2*w))})
		b.mlp.FC2 = nn.NewLinear(at.Sub("mlp", "c_proj"), nn.LinearConfig{In: hidden, Out: width, Init: nn.Normal(1 / math.Sqrt(w*2*l))})
		b.mlp.Act = a
		tr = append(tr, b)
	}
	return tr
}

// forward runs the blocks over x [N,T,C].
func (tr transformer) forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	for i := range tr {
		b := &tr[i]
		x = b.attn.Apply(t, b.ln1.Forward(t, x), nn.Epilogue{Residual: x})
		x = b.mlp.Forward(t, x, nn.Epilogue{Residual: x})
	}
	return x
}

// pooled is forward for token at[i] of sequence i alone: [N,C]. In the last
// block nothing else is computed but what that token looks at, a twentieth of
// all work with 12 blocks; values are the same.
func (tr transformer) pooled(t *nn.Tape, x *nn.Tensor, at []int) *nn.Tensor {
	if len(tr) == 0 {
		return t.SelectTokens(x, at)
	}
	last := len(tr) - 1
	x = tr[:last].forward(t, x)
	b := &tr[last]
	x = b.attn.At(t, b.ln1.Forward(t, x), at, nn.Epilogue{Residual: t.SelectTokens(x, at)})
	return b.mlp.Forward(t, x, nn.Epilogue{Residual: x})
}

// invSqrt is 1/√n.
func invSqrt(n int) float64 { return 1 / math.Sqrt(float64(n)) }
