package clip

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/weights"
)

// Dialect says whose names a checkpoint's parameters have.
type Dialect string

// Dialects.
const (
	Unknown     Dialect = "unknown"
	OpenCLIP    Dialect = "open_clip" // also OpenAI's and ours
	HuggingFace Dialect = "huggingface"
)

// Translate returns src under open_clip's names, which are ours; see Recognize.
func Translate(src weights.Source) weights.Source {
	src, _ = Recognize(src)
	return src
}

// Recognize tells from the names in src whose they are and returns src under
// open_clip's names, which are ours. What wraps the weights of a training
// checkpoint is removed first (see weights.StateDict), and so are the prefix
// "text." of open_clip's models with a text tower of their own and what is no
// parameter: input_resolution, context_length, vocab_size and attn_mask of
// OpenAI, position_ids of Hugging Face.
//
// Hugging Face's queries, keys and values are joined, and their projections
// transposed, when the tensors are read. Names that are not of the dialect stay
// as they are, for nn.Load to report; so do all of them in a source that is not
// recognised.
func Recognize(src weights.Source) (weights.Source, Dialect) {
	if inner, err := weights.StateDict(src, ""); err == nil {
		src = inner
	}
	names := src.Names()
	begins := func(prefixes ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
		})
	}
	switch {
	case begins("vision_model.", "text_model."):
		return newView(src, names), HuggingFace
	case begins("visual.", "text.token_embedding.", "token_embedding.", "text_projection"):
		return weights.Rename(src, func(name string) string {
			name = strings.TrimPrefix(name, "text.")
			switch name {
			case "input_resolution", "context_length", "vocab_size", "attn_mask":
				return ""
			}
			return name
		}), OpenCLIP
	}
	return src, Unknown
}

// Load loads src into m, whatever its dialect is. An error about names or
// shapes says which one was assumed; the rest is as nn.Load has it.
func Load(m *Model, src weights.Source, o nn.LoadOptions) error {
	src, d := Recognize(src)
	if err := nn.Load(m, src, o); err != nil {
		return fmt.Errorf("clip: names taken for %s's: %w", d, err)
	}
	m.Refresh()
	return nil
}

// huggingFace renames what keeps its shape. The first rule whose pattern fits a
// name does.
var huggingFace = func() (rules []struct {
	pattern *regexp.Regexp
	to      string
}) {
	add := func(pattern, to string) {
		rules = append(rules, struct {
			pattern *regexp.Regexp
			to      string
		}{regexp.MustCompile("^" + pattern + "$"), to})
	}
	add(`.*\.position_ids`, "")
	for _, tower := range [][2]string{{"text_model", ""}, {"vision_model", "visual."}} {
		layer, block := tower[0]+`\.encoder\.layers\.(\d{1,4})\.`, tower[1]+"transformer.resblocks.$1."
		add(layer+`layer_norm([12])\.(weight|bias)`, block+"ln_$2.$3")
		add(layer+`mlp\.fc1\.(weight|bias)`, block+"mlp.c_fc.$2")
		add(layer+`mlp\.fc2\.(weight|bias)`, block+"mlp.c_proj.$2")
		add(layer+`self_attn\.out_proj\.(weight|bias)`, block+"attn.out_proj.$2")
		add(layer+`self_attn\.([qkv])_proj\.(weight|bias)`, block+"attn.in_proj_$3")
		add(tower[0]+`\.embeddings\.position_embedding\.weight`, tower[1]+"positional_embedding")
	}
	add(`text_model\.embeddings\.token_embedding\.weight`, "token_embedding.weight")
	add(`text_model\.final_layer_norm\.(weight|bias)`, "ln_final.$1")
	add(`text_projection\.weight`, "text_projection")
	add(`vision_model\.embeddings\.class_embedding`, "visual.class_embedding")
	add(`vision_model\.embeddings\.patch_embedding\.weight`, "visual.conv1.weight")
	add(`vision_model\.pre_la(?:yr|yer)norm\.(weight|bias)`, "visual.ln_pre.$1") // "layrnorm" is theirs
	add(`vision_model\.post_layernorm\.(weight|bias)`, "visual.ln_post.$1")
	add(`visual_projection\.weight`, "visual.proj")
	return rules
}()

// view is Hugging Face's weights under our names.
type view struct {
	src   weights.Source
	names []string
	from  map[string]origin
}

// origin is what one of our parameters is made of.
type origin struct {
	parts      []string // joined along the first axis
	transposed bool
}

func newView(src weights.Source, names []string) *view {
	v := &view{src: src, from: map[string]origin{}}
	put := func(name string, o origin) {
		if _, twice := v.from[name]; !twice {
			v.names = append(v.names, name)
		}
		v.from[name] = o
	}
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
	}
	for _, name := range names {
		to := name
		for _, r := range huggingFace {
			if m := r.pattern.FindStringSubmatchIndex(name); m != nil {
				to = string(r.pattern.ExpandString(nil, r.to, name, m))
				break
			}
		}
		before, after, cut := cutProjection(name)
		switch {
		case to == "":
		case to != name && cut:
			parts := []string{before + "q" + after, before + "k" + after, before + "v" + after}
			if !there[parts[0]] || !there[parts[1]] || !there[parts[2]] {
				put(name, origin{parts: []string{name}}) // incomplete: nn.Load will say so
				continue
			}
			put(to, origin{parts: parts})
		default:
			put(to, origin{parts: []string{name}, transposed: to == "visual.proj" || to == "text_projection"})
		}
	}
	return v
}

// cutProjection takes a name apart around the letter of its projection.
func cutProjection(name string) (before, after string, ok bool) {
	for _, c := range "qkv" {
		if before, after, ok = strings.Cut(name, ".self_attn."+string(c)+"_proj."); ok {
			return before + ".self_attn.", "_proj." + after, true
		}
	}
	return "", "", false
}

// Names implements weights.Source.
func (v *view) Names() []string { return slices.Clone(v.names) }

// Info describes a tensor.
func (v *view) Info(name string) (weights.Info, error) {
	o, ok := v.from[name]
	if !ok {
		return weights.Info{}, fmt.Errorf("clip: tensor %s: %w", quoted(name), fs.ErrNotExist)
	}
	info, err := weights.Describe(v.src, o.parts[0])
	if err != nil {
		return info, err
	}
	info.Shape = slices.Clone(info.Shape)
	for _, part := range o.parts[1:] {
		next, err := weights.Describe(v.src, part)
		switch {
		case err != nil:
			return info, err
		case len(next.Shape) != len(info.Shape) || len(info.Shape) == 0 || !slices.Equal(next.Shape[1:], info.Shape[1:]):
			return info, fmt.Errorf("clip: %s is %v and %s is %v: they cannot be joined", quoted(o.parts[0]), info.Shape, quoted(part), next.Shape)
		}
		info.Shape[0] += next.Shape[0]
		info.Size += next.Size
		if !next.DType.Float() {
			info.DType = next.DType // for nn.Load to refuse
		}
	}
	if o.transposed {
		if len(info.Shape) != 2 {
			return info, fmt.Errorf("clip: %s is %v, want a matrix", quoted(o.parts[0]), info.Shape)
		}
		slices.Reverse(info.Shape)
	}
	return info, nil
}

// Float32 reads a tensor.
func (v *view) Float32(name string, dst []float32) error {
	info, err := v.Info(name)
	if err != nil {
		return err
	}
	if info.Elems() != len(dst) {
		return fmt.Errorf("clip: tensor %s: shape %v for %d elements", quoted(name), info.Shape, len(dst))
	}
	o := v.from[name]
	if !o.transposed {
		for _, part := range o.parts {
			in, err := weights.Describe(v.src, part)
			if err != nil {
				return err
			}
			if err := weights.Float32(v.src, part, dst[:in.Elems()]); err != nil {
				return err
			}
			dst = dst[in.Elems():]
		}
		return nil
	}
	tmp := make([]float32, len(dst))
	if err := weights.Float32(v.src, o.parts[0], tmp); err != nil {
		return err
	}
	rows, cols := info.Shape[0], info.Shape[1] // ours
	for i := range rows {
		for j := range cols {
			dst[i*cols+j] = tmp[j*rows+i]
		}
	}
	return nil
}

// Tensor implements weights.Source.
func (v *view) Tensor(name string) (*tensor.Dense, error) {
	info, err := v.Info(name)
	if err != nil {
		return nil, err
	}
	if o := v.from[name]; len(o.parts) == 1 && !o.transposed {
		return v.src.Tensor(o.parts[0])
	}
	if info.Elems() == 0 {
		return nil, fmt.Errorf("clip: tensor %s has no elements: %w", quoted(name), weights.ErrUnsupported)
	}
	dst := make([]float32, info.Elems())
	if err := v.Float32(name, dst); err != nil {
		return nil, err
	}
	return tensor.New(tensor.WithShape(info.Shape...), tensor.WithBacking(dst)), nil
}
