package weights_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/weights"
)

// nest is a checkpoint in which every path, by dots, is a tensor inside
// dictionaries; "/" separates parts of one key.
func nest(t testing.TB, paths ...string) *weights.File {
	t.Helper()
	type node struct {
		keys []string
		sub  map[string]*node
	}
	root := &node{}
	for _, path := range paths {
		at := root
		for _, key := range strings.Split(path, "/") {
			if at.sub == nil {
				at.sub = map[string]*node{}
			}
			if at.sub[key] == nil {
				at.sub[key] = &node{}
				at.keys = append(at.keys, key)
			}
			at = at.sub[key]
		}
	}
	var write func(n *node) string
	write = func(n *node) string {
		if n.sub == nil {
			return rebuilt(store("FloatStorage", "0", 4), 0, []int64{1}, []int64{1})
		}
		var items []string
		for _, key := range n.keys {
			items = append(items, text(key), write(n.sub[key]))
		}
		return dic(items...)
	}
	f, err := openBytes(checkpoint(t, write(root)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func flatSource(t testing.TB, names ...string) weights.Source {
	m := weights.NewMap()
	for _, name := range names {
		if err := m.SetFloat32(name, []float32{1}, 1); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func TestStateDictIsTakenOutOfItsWrappers(t *testing.T) {
	for _, c := range []struct {
		name string
		src  weights.Source
		key  string
		want string
	}{
		{"flat file", nest(t, "conv.weight", "fc.weight"), "", "conv.weight fc.weight"},
		{"flat source", flatSource(t, "conv.weight", "fc.weight"), "", "conv.weight fc.weight"},
		{"nothing", flatSource(t), "", ""},
		{"Facebook", nest(t, "model/conv.weight", "optimizer/state/0/exp_avg"), "", "conv.weight"},
		{"akamaster", nest(t, "state_dict/module.conv.weight", "state_dict/module.fc.bias"), "", "conv.weight fc.bias"},
		{"torchvision", nest(t, "model/conv.w", "optimizer/state/0/step", "model_ema/n_averaged", "model_ema/module.conv.v"), "", "conv.w"},
		{"torchvision's average", nest(t, "model/conv.w", "optimizer/state/0/step", "model_ema/n_averaged", "model_ema/module.conv.v"), "model_ema", "conv.v"},
		{"timm", nest(t, "state_dict/a", "optimizer/x", "state_dict_ema/b"), "", "a"},
		{"timm's average", nest(t, "state_dict/a", "optimizer/x", "state_dict_ema/b"), "state_dict_ema", "b"},
		{"an average alone", nest(t, "model_ema/a", "optimizer/x"), "", "a"},
		{"Lightning", nest(t, "state_dict/model.conv.w", "state_dict/model.fc.w", "loops/x"), "", "conv.w fc.w"},
		{"compiled", nest(t, "model/_orig_mod.a", "model/_orig_mod.b"), "", "a b"},
		{"compiled and parallel", flatSource(t, "module._orig_mod.a", "module._orig_mod.b"), "", "a b"},
		{"a part called model", flatSource(t, "model.a", "head.b"), "", "model.a head.b"},
		{"a part called model, in a dictionary", nest(t, "state_dict/model.a", "state_dict/head.b"), "", "model.a head.b"},
		{"model before the others", nest(t, "ema/a", "net/b", "model/c"), "", "c"},
		{"by another key", nest(t, "teacher/module.a", "student/module.b"), "student", "b"},
		{"by a key with dots", nest(t, "callbacks/ema/a", "state_dict/b"), "callbacks.ema", "a"},
		{"flat, by a prefix", flatSource(t, "visual.a", "text.b"), "visual", "a"},
		{"a name that begins alike", flatSource(t, "models.a", "models.b"), "", "models.a models.b"},
		{"a file under another name", weights.Strip(nest(t, "state_dict/module.a"), "x"), "", "a"},
	} {
		s, err := weights.StateDict(c.src, c.key)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := strings.Join(s.Names(), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		for _, name := range s.Names() {
			if _, err := s.Tensor(name); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

func TestStateDictUnderAKeyThatIsNotThere(t *testing.T) {
	for _, src := range []weights.Source{nest(t, "model/a"), flatSource(t, "model.a"), flatSource(t)} {
		if _, err := weights.StateDict(src, "model_ema"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `"model_ema"`) {
			t.Errorf("%v", err)
		}
	}
}

// Parts of a saved module are no wrappers, whatever their names.
func TestPartsOfAModuleAreNoWrappers(t *testing.T) {
	for _, stem := range []string{"zip_module", "legacy_module", "zip_wrapped_module"} {
		s, err := weights.StateDict(mustOpenFile(t, "testdata/torch/"+stem+".pth"), "")
		want := []string{"scale", "kept", "conv.weight", "conv.bias", "net.0.weight", "net.0.bias", "net.0.running_mean", "net.0.running_var", "net.0.num_batches_tracked", "net.2.weight"}
		if err != nil || !slices.Equal(s.Names(), want) {
			t.Errorf("%s: %q, want %q (%v)", stem, s.Names(), want, err)
		}
	}
}
