package clip

import (
	"strconv"

	"github.com/winnow-go/winnow/nn"
)

// resNet is CLIP's ModifiedResNet (Radford et al. 2021, section 2.4;
// openai/CLIP clip/model.py): three 3x3 convolutions before an average pool of
// 2, strides made by average pools before the third convolution and before the
// shortcut's, and attention pooling at the end.
type resNet struct {
	stem   [3]convNorm
	stages [4][]bottleneck
	pool   *nn.AttentionPool
}

// convNorm is a convolution without bias and a batch norm.
type convNorm struct {
	conv   *nn.Conv
	norm   *nn.BatchNorm
	frozen bool
}

type bottleneck struct {
	conv     [3]convNorm
	stride   int
	shortcut *convNorm // nil without
}

func newResNet(s *nn.Scope, v Vision, embed int) *resNet {
	m := &resNet{}
	layer := func(conv, norm *nn.Scope, in, out, kernel, stride int, init nn.Init) convNorm {
		return convNorm{
			nn.NewConv(conv, nn.ConvConfig{In: in, Out: out, Kernel: nn.Square(kernel), Padding: kernel / 2, Stride: stride,
				Init: nn.UniformFanIn(in * kernel * kernel)}),
			nn.NewBatchNorm(norm, nn.BatchNormConfig{Channels: out, WeightInit: init}), v.FreezeNorm}
	}
	w := v.Width
	for i, c := range [3][3]int{{3, w / 2, 2}, {w / 2, w / 2, 1}, {w / 2, w, 1}} {
		n := strconv.Itoa(i + 1)
		m.stem[i] = layer(s.Sub("conv"+n), s.Sub("bn"+n), c[0], c[1], 3, c[2], nil)
	}
	in := w
	for i, depth := range v.Depths {
		mid := w << i
		for j := range depth {
			at := s.Sub("layer"+strconv.Itoa(i+1), j)
			b := bottleneck{stride: 1}
			if i > 0 && j == 0 {
				b.stride = 2
			}
			// The last norm starts at 0, so that the block starts as its shortcut.
			b.conv[0] = layer(at.Sub("conv1"), at.Sub("bn1"), in, mid, 1, 1, nil)
			b.conv[1] = layer(at.Sub("conv2"), at.Sub("bn2"), mid, mid, 3, 1, nil)
			b.conv[2] = layer(at.Sub("conv3"), at.Sub("bn3"), mid, 4*mid, 1, 1, nn.Zeros)
			if b.stride > 1 || in != 4*mid {
				sc := layer(at.Sub("downsample", 0), at.Sub("downsample", 1), in, 4*mid, 1, 1, nil)
				b.shortcut = &sc
			}
			in = 4 * mid
			m.stages[i] = append(m.stages[i], b)
		}
	}
	side := v.Size / 32
	m.pool = nn.NewAttentionPool(s.Sub("attnpool"), side*side, in, v.Heads, embed)
	return m
}

// forward computes the convolution, its norm, the residual if there is one and,
// if act, ReLU.
func (l *convNorm) forward(t *nn.Tape, x, residual *nn.Tensor, act bool) *nn.Tensor {
	e := nn.Epilogue{Residual: residual}
	if act {
		e.Act, e.ActLast = nn.ReLU, true
	}
	if !l.frozen || !t.Training() {
		e.Norm = l.norm
		return l.conv.Forward(t, x, e)
	}
	y := l.norm.Frozen(t, l.conv.Forward(t, x, nn.Epilogue{}))
	if residual != nil {
		y = t.Add(y, residual)
	}
	return t.Activate(y, e.Act)
}

func (m *resNet) forward(t *nn.Tape, x *nn.Tensor, see see) *nn.Tensor {
	if see == nil {
		see = blind
	}
	half := nn.Window{Size: 2, Stride: 2}
	for i := range m.stem {
		x = m.stem[i].forward(t, x, nil, true)
	}
	x = t.AvgPool(x, half, false)
	see("visual.stem", x)
	for i, stage := range m.stages {
		for j := range stage {
			b := &stage[j]
			y := b.conv[1].forward(t, b.conv[0].forward(t, x, nil, true), nil, true)
			side := x
			if b.stride > 1 {
				y, side = t.AvgPool(y, half, false), t.AvgPool(x, half, false)
			}
			if b.shortcut != nil {
				side = b.shortcut.forward(t, side, nil, false)
			}
			x = b.conv[2].forward(t, y, side, true)
		}
		see("visual.layer"+strconv.Itoa(i+1), x)
	}
	x = m.pool.Forward(t, x)
	see("visual.attnpool", x)
	return x
}
