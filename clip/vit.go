package clip

import (
	"math"

	"github.com/winnow-go/winnow/nn"
)

// vit is CLIP's Vision Transformer: patches, a class token in front, positions,
// a norm, blocks, a norm on the class token and a projection.
type vit struct {
	patches   *nn.Conv  // [C,3,P,P], no bias
	class     *nn.Param // [C]
	positions *nn.Param // [T+1,C]
	pre, post *nn.LayerNorm
	blocks    transformer
	proj      *nn.Projection
}

func newViT(s *nn.Scope, v Vision, embed int) *vit {
	side := v.Size / v.Patch
	std := nn.Normal(1 / math.Sqrt(float64(v.Width)))
	m := &vit{}
	m.class = s.Param("class_embedding", std, v.Width)
	m.positions = s.Param("positional_embedding", std, side*side+1, v.Width)
	m.proj = nn.NewProjection(s, "proj", v.Width, embed, std)
	m.patches = nn.NewConv(s.Sub("conv1"), nn.ConvConfig{In: 3, Out: v.Width, Kernel: nn.Square(v.Patch), Stride: v.Patch,
		Init: nn.Normal(1 / math.Sqrt(float64(3*v.Patch*v.Patch)))})
	m.pre = nn.NewLayerNorm(s.Sub("ln_pre"), v.Width, v.Eps)
	m.blocks = newTransformer(s.Sub("transformer"), v.Width, v.Layers, v.Heads, v.MLP, v.Act, v.Eps, false)
	m.post = nn.NewLayerNorm(s.Sub("ln_post"), v.Width, v.Eps)
	return m
}

func (m *vit) forward(t *nn.Tape, x *nn.Tensor, see see) *nn.Tensor {
	x = m.patches.Forward(t, x, nn.Epilogue{}) // [N,H/P,W/P,C]
	x = t.AddPositions(t.Prepend(x, m.class), m.positions)
	x = m.pre.Forward(t, x)
	class := make([]int, x.Dim(0))
	if see == nil {
		return m.proj.Forward(t, m.post.Forward(t, m.blocks.pooled(t, x, class)))
	}
	see("visual.ln_pre", x)
	x = m.blocks.forward(t, x)
	see("visual.transformer", x)
	x = m.post.Forward(t, t.SelectTokens(x, class))
	see("visual.ln_post", x)
	return m.proj.Forward(t, x)
}
