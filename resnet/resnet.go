// Package resnet builds ResNet models (He et al. 2016, Deep Residual Learning
// for Image Recognition, arXiv:1512.03385) for package nn: the ImageNet family
// 18 to 152 and the CIFAR family 8 to 110.
//
//	m := resnet.ResNet18(10)         // 10 classes
//	nn.Initialize(m, 1)              // from scratch, seed 1, or
//	err := nn.Load(m, file, nn.LoadOptions{}) // from a checkpoint
//
// Names and shapes of parameters are timm's and torchvision's; the CIFAR
// family has conv1, bn1, layer1 to layer3 and fc, and Translate renames
// checkpoints from akamaster/pytorch_resnet_cifar10. Inputs are [N,H,W,3],
// outputs logits [N,K].
//
// Bottlenecks have their stride on the 3x3 convolution (v1.5), as torchvision's
// do. timm's other stems, attention blocks and shortcuts are not here yet.
package resnet

import (
	"fmt"

	"github.com/winnow-go/winnow/nn"
)

// Model is a ResNet. It implements nn.Model.
type Model struct {
	cfg    Config
	err    error
	params []*nn.Param
	conv   *nn.Conv
	bn     *nn.BatchNorm
	blocks []block
	fc     *nn.Linear
}

// block is a chain of convolutions, each with its norm, beside a shortcut.
type block struct {
	convs    []*nn.Conv
	norms    []*nn.BatchNorm
	shortcut func(t *nn.Tape, x *nn.Tensor) *nn.Tensor
	dropPath float64
}

// New builds a model without allocating its weights. An error wraps ErrConfig.
func New(cfg Config) (*Model, error) {
	m := build(cfg)
	if m.err != nil {
		return nil, m.err
	}
	return m, nil
}

// builder holds what the layers of one model share.
type builder struct {
	Config
	init nn.Init
}

// build is New for presets: what is wrong with cfg (a number of classes below
// 1) comes out of the model's first use.
func build(cfg Config) *Model {
	m := &Model{cfg: cfg, err: cfg.check()}
	if m.err != nil {
		return m
	}
	b := builder{cfg.withDefaults(), nn.KaimingFanOut}
	if b.Init == FanIn {
		b.init = nn.KaimingFanIn
	}
	s := nn.NewScope()
	stem := nn.ConvConfig{In: 3, Out: b.StemOut, Kernel: nn.Square(7), Stride: 2, Padding: 3, Init: b.init}
	switch b.Stem {
	case Small1:
		stem.Kernel, stem.Stride, stem.Padding = nn.Square(3), 1, 1
	case Small2:
		stem.Kernel, stem.Stride, stem.Padding = nn.Square(3), 2, 1
	}
	m.conv = nn.NewConv(s.Sub("conv1"), stem)
	m.bn = b.norm(s.Sub("bn1"), b.StemOut, false)

	total, n, in := 0, 0, b.StemOut
	for _, l := range b.Layers {
		total += l
	}
	for i, l := range b.Layers {
		for j := range l {
			stride := 1
			if i > 0 && j == 0 {
				stride = 2
			}
			blk := b.block(s.Sub(fmt.Sprintf("layer%d", i+1), j), in, b.Widths[i], stride)
			if total > 1 {
				blk.dropPath = b.DropPath * float64(n) / float64(total-1)
			}
			m.blocks = append(m.blocks, blk)
			in = b.outer(b.Widths[i])
			n++
		}
	}
	head := nn.LinearConfig{In: in, Out: b.Classes, BiasInit: nn.UniformFanIn(in)}
	if b.Init == FanIn {
		head.Init = nn.KaimingFanIn
	}
	m.fc = nn.NewLinear(s.Sub("fc"), head)
	m.params = s.Params()
	return m
}

func (b builder) norm(s *nn.Scope, channels int, last bool) *nn.BatchNorm {
	c := nn.BatchNormConfig{Channels: channels, Epsilon: b.Epsilon}
	if last && b.Init == FanOut {
		c.WeightInit = nn.Zeros // each block starts as the identity (Goyal et al. 2017, arXiv:1706.02677)
	}
	return nn.NewBatchNorm(s, c)
}

func (b builder) block(s *nn.Scope, in, width, stride int) block {
	var blk block
	outer, inner := b.outer(width), b.inner(width)
	add := func(c nn.ConvConfig, last bool) {
		c.Init = b.init
		n := len(blk.convs) + 1
		blk.convs = append(blk.convs, nn.NewConv(s.Sub(fmt.Sprintf("conv%d", n)), c))
		blk.norms = append(blk.norms, b.norm(s.Sub(fmt.Sprintf("bn%d", n)), c.Out, last))
	}
	if b.Block == Basic {
		add(nn.ConvConfig{In: in, Out: width, Kernel: nn.Square(3), Stride: stride, Padding: 1}, false)
		add(nn.ConvConfig{In: width, Out: outer, Kernel: nn.Square(3), Padding: 1}, true)
	} else {
		add(nn.ConvConfig{In: in, Out: inner, Kernel: nn.Square(1)}, false)
		add(nn.ConvConfig{In: inner, Out: inner, Kernel: nn.Square(3), Stride: stride, Padding: 1, Groups: b.Groups}, false)
		add(nn.ConvConfig{In: inner, Out: outer, Kernel: nn.Square(1)}, true)
	}
	switch {
	case stride == 1 && in == outer:
		blk.shortcut = func(_ *nn.Tape, x *nn.Tensor) *nn.Tensor { return x }
	case b.Shortcut == Padding:
		before := (outer - in) / 2
		blk.shortcut = func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
			return t.Subsample(x, stride, before, outer-in-before)
		}
	default:
		conv := nn.NewConv(s.Sub("downsample", 0), nn.ConvConfig{In: in, Out: outer, Kernel: nn.Square(1), Stride: stride, Init: b.init})
		bn := b.norm(s.Sub("downsample", 1), outer, false)
		blk.shortcut = func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
			return conv.Forward(t, x, nn.Epilogue{Norm: bn})
		}
	}
	return blk
}

// Config is what the model was built from.
func (m *Model) Config() Config { return m.cfg }

// Params lists the parameters in timm's order.
func (m *Model) Params() []*nn.Param { return m.params }

// Forward computes logits [N,K] of images [N,H,W,3].
func (m *Model) Forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	return m.fc.Forward(t, m.Features(t, x), nn.Epilogue{})
}

// Features computes what the last linear layer sees: [N,C], pooled.
func (m *Model) Features(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	if m.err != nil {
		t.Fail(m.err)
		return x
	}
	x = m.conv.Forward(t, x, nn.Epilogue{Norm: m.bn, Act: nn.ReLU})
	if m.cfg.Stem == Published {
		x = t.MaxPool(x, nn.Window{Size: 3, Stride: 2, Padding: 1})
	}
	for _, b := range m.blocks {
		x = b.forward(t, x)
	}
	return t.GlobalPool(x)
}

func (b *block) forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	y, last := x, len(b.convs)-1
	for i := range last {
		y = b.convs[i].Forward(t, y, nn.Epilogue{Norm: b.norms[i], Act: nn.ReLU})
	}
	return b.convs[last].Forward(t, y, nn.Epilogue{
		Norm: b.norms[last], DropPath: b.dropPath, Residual: b.shortcut(t, x), Act: nn.ReLU, ActLast: true})
}
