package nn_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/nn"
)

// imageLayers are the layers that work image by image, or row by row.
var imageLayers = []struct {
	name string
	make func(s *nn.Scope) func(t *nn.Tape, x *nn.Tensor) *nn.Tensor // of 6 channels
}{
	{"RMS norm", func(s *nn.Scope) func(*nn.Tape, *nn.Tensor) *nn.Tensor { return nn.NewRMSNorm(s, 6, 1e-3).Forward }},
	{"simple norm", func(s *nn.Scope) func(*nn.Tape, *nn.Tensor) *nn.Tensor {
		return nn.NewSimpleNorm(s, 6, 1e-3).Forward
	}},
	{"GRN", func(s *nn.Scope) func(*nn.Tape, *nn.Tensor) *nn.Tensor { return nn.NewGRN(s, 6).Forward }},
	{"group norm", func(s *nn.Scope) func(*nn.Tape, *nn.Tensor) *nn.Tensor {
		l := nn.NewGroupNorm(s, nn.GroupNormConfig{Channels: 6, Groups: 3})
		return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
			return l.Forward(t, x, nn.Epilogue{Residual: x, Act: nn.GELU, ActLast: true})
		}
	}},
	{"squeeze and excitation", func(s *nn.Scope) func(*nn.Tape, *nn.Tensor) *nn.Tensor {
		l := nn.NewSqueezeExcite(s, 6, 4)
		return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return l.Forward(t, x, nn.Epilogue{Residual: x}) }
	}},
	{"channel attention", func(s *nn.Scope) func(*nn.Tape, *nn.Tensor) *nn.Tensor {
		l := nn.NewChannelAttention(s, 3)
		return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return l.Forward(t, x, nn.Epilogue{}) }
	}},
	{"blur", func(*nn.Scope) func(*nn.Tape, *nn.Tensor) *nn.Tensor {
		return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Blur(x, 2) }
	}},
	{"average pool with leftovers", func(*nn.Scope) func(*nn.Tape, *nn.Tensor) *nn.Tensor {
		return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.AvgPool(x, nn.Window{Size: 2, Ceil: true}, false) }
	}},
}

// The tape is float32, so differences are taken with a step of 1/64 and the
// loss is summed in float64; the kernels' own gradients are held to 1e-6 where
// they are defined.
func TestImageLayersHaveTheGradientsOfTheirValues(t *testing.T) {
	for _, l := range imageLayers {
		t.Run(l.name, func(t *testing.T) {
			s := nn.NewScope()
			m := newLayer(s, l.make(s.Sub("l")))
			nn.Initialize(m, 1)
			for i, p := range m.params {
				kerneltest.Normal(p.Data(), uint64(10+i), 0.3, 0.5)
			}
			dev := nn.NewDevice(nn.DeviceOptions{Threads: 2})
			tape := nn.NewTape(nn.Training, dev)
			const n, h, w, c = 2, 5, 3, 6
			x := normal(n*h*w*c, 3)
			weights := normal(n*h*w*c, 4)
			value := func() float64 {
				y := floats(t, m.Forward(tape, tape.InputFloats(x, n, h, w, c)))
				sum := 0.0
				for i, v := range y {
					sum += float64(v) * float64(weights[i])
				}
				tape.Reset()
				return sum
			}
			in := tape.InputFloats(x, n, h, w, c).WantGradient()
			y := m.Forward(tape, in)
			if err := tape.Backward(tape.Dot(y, weights[:size(y.Shape()...)])); err != nil {
				t.Fatal(err)
			}
			check := func(what string, v, grad []float32) {
				scale := 0.0
				for _, g := range grad {
					scale = max(scale, math.Abs(float64(g)))
				}
				const step = 1.0 / 64
				for i := range v {
					was := v[i]
					v[i] = was + step
					up := value()
					v[i] = was - step
					down := value()
					v[i] = was
					if d := (up - down) / (2 * step); math.Abs(d-float64(grad[i])) > 2e-3*scale {
						t.Fatalf("%s[%d]: gradient %v, difference %v", what, i, grad[i], d)
					}
				}
			}
			grads := [][]float32{slices.Clone(in.Gradient())}
			for _, p := range m.params {
				grads = append(grads, slices.Clone(tape.Gradient(p)))
			}
			tape.Reset()
			check("input", x, grads[0])
			for i, p := range m.params {
				check(p.Name(), p.Data(), grads[i+1])
			}
			noLeak(t, dev)
		})
	}
}

func TestImageLayersInferAsTheyTrain(t *testing.T) {
	for _, l := range imageLayers {
		for _, act := range []nn.Activation{nn.Identity, nn.ReLU, nn.SiLU} {
			for bits := range 8 {
				t.Run(fmt.Sprintf("%s act=%v last=%v residual=%v scale=%v", l.name, act, bits&1 != 0, bits&2 != 0, bits&4 != 0), func(t *testing.T) {
					s := nn.NewScope()
					gamma := s.Param("gamma", nn.Normal(1), 6)
					f := l.make(s.Sub("l"))
					switch l.name {
					case "group norm", "squeeze and excitation", "channel attention":
						e := func(x *nn.Tensor) nn.Epilogue {
							e := nn.Epilogue{Act: act, ActLast: bits&1 != 0}
							if bits&2 != 0 {
								e.Residual = x
							}
							if bits&4 != 0 {
								e.Scale = gamma
							}
							return e
						}
						s = nn.NewScope()
						gamma = s.Param("gamma", nn.Normal(1), 6)
						gn := nn.NewGroupNorm(s.Sub("gn"), nn.GroupNormConfig{Channels: 6, Groups: 2})
						se, eca := nn.NewSqueezeExcite(s.Sub("se"), 6, 8), nn.NewChannelAttention(s.Sub("eca"), 5)
						f = func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
							switch l.name {
							case "group norm":
								return gn.Forward(t, x, e(x))
							case "squeeze and excitation":
								return se.Forward(t, x, e(x))
							}
							return eca.Forward(t, x, e(x))
						}
					default:
						if bits > 0 || act != nn.Identity {
							t.SkipNow()
						}
					}
					m := newLayer(s, f)
					nn.Initialize(m, 1)
					for i, p := range m.params {
						kerneltest.Normal(p.Data(), uint64(10+i), 0.3, 0.5)
					}
					x := normal(2*5*4*6, 3)
					dev := nn.NewDevice(nn.DeviceOptions{Threads: 2})
					var got [2][]float32
					for i, mode := range []nn.Mode{nn.Training, nn.Inference} {
						tape := nn.NewTape(mode, dev)
						// An activation, so that working in place is possible.
						in := tape.Activate(tape.InputFloats(x, 2, 5, 4, 6), nn.GELU)
						got[i] = slices.Clone(floats(t, m.Forward(tape, in)))
						tape.Reset()
					}
					kerneltest.Sum{N: 1, K: 8, Scale: 8}.Check(t, "inference", got[1], kerneltest.Widen(got[0]))
					noLeak(t, dev)
				})
			}
		}
	}
}

func TestImageLayersRefuseWhatDoesNotFit(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(t *nn.Tape) *nn.Tensor
	}{
		{"RMS norm", func(t *nn.Tape) *nn.Tensor {
			return nn.NewRMSNorm(nn.NewScope(), 4, 1e-6).Forward(t, ones(t, 1, 2, 2, 3))
		}},
		{"no RMS norm", func(t *nn.Tape) *nn.Tensor { return (*nn.RMSNorm)(nil).Forward(t, ones(t, 1, 2, 2, 3)) }},
		{"simple norm", func(t *nn.Tape) *nn.Tensor { return nn.NewSimpleNorm(nn.NewScope(), 4, 1e-6).Forward(t, ones(t, 1, 3)) }},
		{"no simple norm", func(t *nn.Tape) *nn.Tensor { return (*nn.SimpleNorm)(nil).Forward(t, ones(t, 1, 2, 2, 3)) }},
		{"GRN of rows", func(t *nn.Tape) *nn.Tensor { return nn.NewGRN(nn.NewScope(), 3).Forward(t, ones(t, 1, 3)) }},
		{"GRN", func(t *nn.Tape) *nn.Tensor { return nn.NewGRN(nn.NewScope(), 4).Forward(t, ones(t, 1, 2, 2, 3)) }},
		{"no GRN", func(t *nn.Tape) *nn.Tensor { return (*nn.GRN)(nil).Forward(t, ones(t, 1, 2, 2, 3)) }},
		{"group norm", func(t *nn.Tape) *nn.Tensor {
			return nn.NewGroupNorm(nn.NewScope(), nn.GroupNormConfig{Channels: 6, Groups: 4}).Forward(t, ones(t, 1, 2, 2, 6), nn.Epilogue{})
		}},
		{"no group norm", func(t *nn.Tape) *nn.Tensor {
			return (*nn.GroupNorm)(nil).Forward(t, ones(t, 1, 2, 2, 6), nn.Epilogue{})
		}},
		{"gate of another batch", func(t *nn.Tape) *nn.Tensor { return t.Gate(ones(t, 2, 2, 2, 3), ones(t, 1, 3), nn.Epilogue{}) }},
		{"gate of rows", func(t *nn.Tape) *nn.Tensor { return t.Gate(ones(t, 2, 3), ones(t, 2, 3), nn.Epilogue{}) }},
		{"gate with another residual", func(t *nn.Tape) *nn.Tensor {
			return t.Gate(ones(t, 2, 2, 2, 3), ones(t, 2, 3), nn.Epilogue{Residual: ones(t, 2, 2, 1, 3)})
		}},
		{"no squeeze", func(t *nn.Tape) *nn.Tensor {
			return (*nn.SqueezeExcite)(nil).Forward(t, ones(t, 1, 2, 2, 3), nn.Epilogue{})
		}},
		{"no attention", func(t *nn.Tape) *nn.Tensor {
			return (*nn.ChannelAttention)(nil).Forward(t, ones(t, 1, 2, 2, 3), nn.Epilogue{})
		}},
		{"even taps", func(t *nn.Tape) *nn.Tensor {
			return nn.NewChannelAttention(nn.NewScope(), 2).Forward(t, ones(t, 1, 2, 2, 3), nn.Epilogue{})
		}},
		{"blur of a line", func(t *nn.Tape) *nn.Tensor { return t.Blur(ones(t, 1, 1, 4, 3), 2) }},
		{"blur of rows", func(t *nn.Tape) *nn.Tensor { return t.Blur(ones(t, 4, 3), 2) }},
		{"blur backwards", func(t *nn.Tape) *nn.Tensor { return t.Blur(ones(t, 1, 4, 4, 3), -1) }},
		{"leftovers with padding", func(t *nn.Tape) *nn.Tensor {
			return t.AvgPool(ones(t, 1, 3, 3, 1), nn.Window{Size: 2, Ceil: true}, true)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, mode := range []nn.Mode{nn.Training, nn.Inference} {
				tape := nn.NewTape(mode, nil)
				if err := tape.Eval(c.run(tape)); err == nil {
					t.Errorf("%v: no error", mode)
				}
			}
		})
	}
}

// The sizes are those of torch.nn.AvgPool2d(size, stride, padding,
// ceil_mode=True).
func TestLeftoverPixelsGetAWindow(t *testing.T) {
	for _, c := range []struct{ in, size, stride, pad, want int }{
		{1, 2, 2, 0, 1}, {2, 2, 2, 0, 1}, {3, 2, 2, 0, 2}, {7, 2, 2, 0, 4}, {8, 3, 2, 0, 4}, {9, 3, 2, 0, 4},
		{5, 2, 1, 0, 4}, {4, 2, 2, 1, 3}, {5, 2, 2, 1, 3}, {6, 3, 3, 1, 3}, {5, 3, 3, 1, 2},
	} {
		tape := nn.NewTape(nn.Inference, nil)
		y := tape.AvgPool(tape.Describe(1, c.in, c.in, 1), nn.Window{Size: c.size, Stride: c.stride, Padding: c.pad, Ceil: true}, false)
		if y.Dim(1) != c.want {
			t.Errorf("%+v: %v", c, y.Shape())
		}
	}
}

func TestActivationsAreFoundByTheirNames(t *testing.T) {
	for _, a := range []nn.Activation{nn.Identity, nn.ReLU, nn.GELU, nn.GELUTanh, nn.QuickGELU, nn.SiLU, nn.Sigmoid} {
		if got, err := nn.ParseActivation(a.String()); got != a || err != nil {
			t.Errorf("%v: %v, %v", a, got, err)
		}
	}
	if _, err := nn.ParseActivation("swish"); err == nil {
		t.Error("swish is known")
	}
}
