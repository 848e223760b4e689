package weights

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// wrappers are the keys under which training programs keep the weights, those
// of the model first and then those of its average.
var wrappers = []string{
	"state_dict", "model_state_dict", "model_state", "model", "module", "network", "net",
	"state_dict_ema", "model_ema", "model_ema_state_dict", "ema_state_dict", "ema_model", "ema",
}

// compiled is the prefix that torch.compile gives to every name.
const compiled = "_orig_mod"

// averaged is what torch.optim.swa_utils.AveragedModel keeps beside "module".
const averaged = "n_averaged"

// StateDict shows the weights of the model in a training checkpoint, without
// what is around them: the optimizer's state, and the keys that wrap the names.
//
// With key "" it takes, step by step and as long as one fits, the first of
// these keys:
//
//	state_dict, model_state_dict, model_state, model, module, network, net,
//	state_dict_ema, model_ema, model_ema_state_dict, ema_state_dict, ema_model, ema
//
// A key fits if the file has a dictionary (or a whole module) under it, of
// which then only the contents remain, or if all names begin with it and a dot;
// n_averaged, which AveragedModel of torch adds, does not count and is dropped.
// The prefix _orig_mod of torch.compile is taken away like "module". So averaged
// weights are taken only if there are no others. Files that wrap nothing come
// out as they are.
//
// With another key, such as "model_ema", the first step takes that one; it may
// have dots, like "callbacks.ema". That it is not there is an error that wraps
// fs.ErrNotExist.
func StateDict(src Source, key string) (Source, error) {
	names := src.Names()
	dicts := map[string]bool{}
	if f, ok := src.(*File); ok && f.dicts != nil {
		dicts = f.dicts
	}
	prefix := ""
	if key != "" {
		prefix = key + "."
		if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, prefix) }) {
			e := &Error{Err: fmt.Errorf("no weights under the key %s: %w", quote(key), fs.ErrNotExist)}
			if f, ok := src.(*File); ok {
				e.File = f.path
			}
			return nil, e
		}
	}
	for prefix != "" || len(names) > 0 {
		names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, prefix) })
		step := next(names, prefix, dicts)
		if step == "" {
			break
		}
		prefix += step + "."
	}
	if prefix == "" {
		return src, nil
	}
	return Under(src, prefix), nil
}

// next is the key that wraps names, which all begin with prefix, or "".
func next(names []string, prefix string, dicts map[string]bool) string {
	for _, w := range wrappers {
		if dicts[prefix+w] {
			return w
		}
	}
	for _, w := range append([]string{compiled}, wrappers...) {
		if all, some := common(names, prefix, w+"."); all && some {
			return w
		}
	}
	return ""
}

// common reports whether all names, and whether any, go on with w after prefix.
func common(names []string, prefix, w string) (all, some bool) {
	for _, name := range names {
		rest := name[len(prefix):]
		switch {
		case strings.HasPrefix(rest, w):
			some = true
		case rest != averaged:
			return false, some
		}
	}
	return true, some
}
