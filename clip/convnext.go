package clip

import (
	"fmt"
	"strings"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
)

// trunk is a ConvNeXt of timm's with a projection, as open_clip puts them
// together (open_clip/timm_model.py).
type trunk struct {
	*convnext.Model
	proj *nn.Linear // nil with mlp
	mlp  *nn.MLP
}

func newConvNeXt(s *nn.Scope, v Vision, embed int) (*trunk, error) {
	c := *v.Trunk
	c.Classes = 1 // the head is left out
	m, err := convnext.New(c)
	if err != nil {
		return nil, fmt.Errorf("clip: image tower: %w: %w", err, ErrConfig)
	}
	s.Sub("trunk").Adopt(m.Params(), func(name string) bool { return strings.HasPrefix(name, "head.fc.") })
	tr, in := &trunk{Model: m}, c.Dims[len(c.Dims)-1]
	if c.HeadHidden > 0 {
		in = c.HeadHidden
	}
	head := s.Sub("head")
	if v.Projection == Linear {
		tr.proj = nn.NewLinear(head.Sub("proj"), nn.LinearConfig{In: in, Out: embed, NoBias: true})
		return tr, nil
	}
	tr.mlp = &nn.MLP{Act: nn.GELU,
		FC1: nn.NewLinear(head.Sub("mlp", "fc1"), nn.LinearConfig{In: in, Out: 2 * embed, BiasInit: nn.UniformFanIn(in)}),
		FC2: nn.NewLinear(head.Sub("mlp", "fc2"), nn.LinearConfig{In: 2 * embed, Out: embed, NoBias: true}),
	}
	return tr, nil
}

func (m *trunk) forward(t *nn.Tape, x *nn.Tensor, see see) *nn.Tensor {
	if see == nil {
		see = blind
	}
	features := m.WalkFeatures(t, x, func(name string, y *nn.Tensor) { see("visual.trunk."+name, y) })
	see("visual.trunk", features)
	var y *nn.Tensor
	if m.proj != nil {
		y = m.proj.Forward(t, features, nn.Epilogue{})
	} else {
		y = m.mlp.Forward(t, features, nn.Epilogue{})
	}
	see("visual.head", y)
	return y
}
