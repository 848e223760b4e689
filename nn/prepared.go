package nn

import (
	"sync"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
)

// packed is what inference needs of a layer: weights in the device's form and
// the bias that belongs to them.
type packed struct {
	weights device.Weights
	bias    device.Buffer
}

// prepared holds the packed layers of a model; many tapes share one. Each
// layer is packed once, when it is first used.
type prepared struct {
	mu     sync.Mutex
	layers map[any]*entry
}

type entry struct {
	once sync.Once
	packed
}

// folded is the key of a convolution together with the norm that its weights
// contain, nil for none.
type folded struct {
	conv *Conv
	norm *BatchNorm
}

// prepare packs a layer when it is first used. The key must be comparable.
// weights are what is packed: on a tape that takes weights they are dropped
// from the model. Such a tape is alone with the model until all is packed.
func (t *Tape) prepare(layer any, weights []*Param, pack func() packed) packed {
	if t.prep == nil {
		t.prep, t.own = &prepared{}, true
	}
	p := t.prep
	p.mu.Lock()
	if p.layers == nil {
		p.layers = map[any]*entry{}
	}
	e := p.layers[layer]
	if e == nil {
		e = &entry{}
		p.layers[layer] = e
	}
	p.mu.Unlock()
	e.once.Do(func() {
		e.packed = pack()
		if t.take {
			for _, p := range weights {
				p.data, p.gone = nil, true
			}
		}
	})
	return e.packed
}

// packConv packs a layer's weights for one forward step of training, in memory
// that the next layer's take over: they change with every step.
func (t *Tape) packConv(w *Param, g kernel.Conv) device.Weights {
	if g.Depthwise() { // may be the parameter's own memory
		return t.b.PackConv(nil, t.param(w), g)
	}
	t.pack = t.b.PackConv(t.pack, t.param(w), g)
	return t.pack
}

// packLinear is packConv for weights [out,in].
func (t *Tape) packLinear(w *Param, out, in int) device.Weights {
	t.pack = t.b.PackLinear(t.pack, t.param(w), out, in)
	return t.pack
}

// packMLP is packConv for two linear layers.
func (t *Tape) packMLP(w1, w2 *Param, m device.MLP) device.Weights {
	t.pair = t.b.PackMLP(t.pair, t.param(w1), t.param(w2), m)
	return t.pair
}
