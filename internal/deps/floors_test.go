package deps

import (
	"fmt"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/winnow-go/winnow"

// floors are the packages from the ground up: each imports only packages of
// earlier lines, and those of one line do not import each other. "." is the
// root, "examples/*" every package below examples.
//
// Vector activations and elementwise loops lie below gemm and depthwise, which
// end their work with them, and norm, which takes a ReLU's gradient with it.
var floors = [][]string{
	{"internal/cpu", "internal/pool", "internal/rng", "internal/deps"},
	{"internal/kernel"},
	{"internal/kernel/kerneltest"},
	{"internal/kernel/activation", "internal/kernel/elementwise", "internal/kernel/pooling", "internal/kernel/softmax"},
	{"internal/kernel/gemm", "internal/kernel/depthwise", "internal/kernel/norm"},
	{"internal/kernel/conv", "internal/kernel/attention", "internal/kernel/mlp"},
	{"weights", "label", "internal/device"},
	{"internal/device/cpu", "internal/device/cuda", "internal/device/devicetest", "internal/golden", "weights/weightstest"},
	{"nn", "transform"},
	{"convnext", "resnet", "ema", "metrics", "dataset", "internal/nntest"},
	{"ood", "clip", "train", "dataset/scenes"},
	{".", "report", "graph", "clip/tiny"},
	{"examples/*", "bench", "bench/*"},
}

// support are packages for tests: only tests, and each other, import them.
var support = []string{"internal/kernel/kerneltest", "internal/golden", "weights/weightstest", "internal/device/devicetest", "internal/nntest"}

// reserved are other people's packages that few may import, by prefix of the
// import path. Tests may too, unless the rule says otherwise.
var reserved = []struct {
	path  string
	by    []string // patterns as in floors
	tests bool     // the rule holds for tests as well
	why   string
}{
	{"gonum.org/v1/plot", []string{"report", "examples/*", "bench", "bench/*"}, false, "it adds 8 MB to every program"},
	{"gorgonia.org/gorgonia", []string{"graph"}, true, "with -tags cuda it compiles cgo and needs an old toolkit"},
	{"github.com/nlpodyssey/safetensors", nil, false, "it is the oracle of tests"},
	{"C", nil, true, "the module builds without cgo"},
}

// pkg is what a folder's files import, by folder relative to the root.
type pkg struct {
	imports map[string]string // import path -> a file that has it
	tests   map[string]string // the same for _test.go
}

func TestPackagesImportOnlyEarlierFloors(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	pkgs, err := scan(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"internal/cpu", "internal/deps", "weights"} {
		if pkgs[want] == nil {
			t.Fatalf("no package %s found below %s", want, root)
		}
	}
	for _, v := range violations(pkgs) {
		t.Error(v)
	}
}

// scan parses every Go file of the module, whatever its build tags.
func scan(root string) (map[string]*pkg, error) {
	pkgs := map[string]*pkg{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file == root {
				return nil
			}
			if name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		if ignored(string(text)) {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		p := pkgs[path.Dir(rel)]
		if p == nil {
			p = &pkg{map[string]string{}, map[string]string{}}
			pkgs[path.Dir(rel)] = p
		}
		into := p.imports
		if strings.HasSuffix(name, "_test.go") {
			into = p.tests
		}
		for _, spec := range tree.Imports {
			what, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			into[what] = rel
		}
		return nil
	})
	return pkgs, err
}

// ignored reports whether a file is a program for go run, by the custom
// "//go:build ignore".
func ignored(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "package ") {
			return false
		}
		if constraint.IsGoBuild(line) {
			x, err := constraint.Parse(line)
			return err == nil && x.String() == "ignore"
		}
	}
	return false
}

func violations(pkgs map[string]*pkg) []string {
	var all []string
	add := func(format string, a ...any) { all = append(all, fmt.Sprintf(format, a...)) }
	for _, dir := range slices.Sorted(maps.Keys(pkgs)) {
		p := pkgs[dir]
		floor := floorOf(dir)
		if floor < 0 && len(p.imports) == 0 && len(p.tests) > 0 {
			continue // tests alone
		}
		if floor < 0 {
			add("package %s is on no floor: add it to floors in internal/deps/floors_test.go", dir)
			continue
		}
		for _, what := range slices.Sorted(maps.Keys(p.imports)) {
			for _, r := range reserved {
				if within(what, r.path) && !matches(dir, r.by) {
					add("%s imports %s: %s", p.imports[what], what, r.why)
				}
			}
			if !within(what, module) {
				continue
			}
			of := "."
			if what != module {
				of = strings.TrimPrefix(what, module+"/")
			}
			switch below := floorOf(of); {
			case below < 0:
				add("%s imports %s, which is on no floor: add it to floors in internal/deps/floors_test.go", p.imports[what], of)
			case below >= floor:
				add("%s imports %s: %s is on floor %d, which may import from below it only, and %s is on floor %d", p.imports[what], of, dir, floor+1, of, below+1)
			}
			if slices.Contains(support, of) && !slices.Contains(support, dir) {
				add("%s imports %s, which is for tests", p.imports[what], of)
			}
		}
		for _, what := range slices.Sorted(maps.Keys(p.tests)) {
			for _, r := range reserved {
				if r.tests && within(what, r.path) && !matches(dir, r.by) {
					add("%s imports %s: %s", p.tests[what], what, r.why)
				}
			}
		}
	}
	return all
}

// within reports whether an import path is prefix or below it.
func within(what, prefix string) bool {
	return what == prefix || strings.HasPrefix(what, prefix+"/")
}

func matches(dir string, patterns []string) bool {
	for _, p := range patterns {
		if below, ok := strings.CutSuffix(p, "/*"); p == dir || ok && strings.HasPrefix(dir, below+"/") {
			return true
		}
	}
	return false
}

func floorOf(dir string) int {
	return slices.IndexFunc(floors, func(line []string) bool { return matches(dir, line) })
}

func TestViolationsAreSeen(t *testing.T) {
	for _, c := range []struct {
		name, dir, imports string
		test               bool
		says               string // "" for allowed
	}{
		{"a floor below", "nn", module + "/weights", false, ""},
		{"the ground", ".", module + "/internal/cpu", false, ""},
		{"the standard library", "internal/cpu", "os", false, ""},
		{"somebody else's", "weights", "gorgonia.org/tensor", false, ""},
		{"a floor above", "weights", module + "/nn", false, "floor"},
		{"the same floor", "convnext", module + "/resnet", false, "floor"},
		{"the root", "report", module, false, "floor"},
		{"a floor above, in a test", "weights", module + "/nn", true, ""},
		{"an unlisted package", "surprise", "os", false, "surprise is on no floor"},
		{"import of an unlisted package", "nn", module + "/surprise", false, "on no floor"},
		{"a name that only begins alike", "nn", module + "2/surprise", false, ""},
		{"one example by another", "examples/speed", module + "/examples/classify", false, "floor"},
		{"plot in a report", "report", "gonum.org/v1/plot/vg", false, ""},
		{"plot in an example", "examples/pipeline", "gonum.org/v1/plot", false, ""},
		{"plot in metrics", "metrics", "gonum.org/v1/plot", false, "8 MB"},
		{"plot in a test", "metrics", "gonum.org/v1/plot", true, ""},
		{"gorgonia in graph", "graph", "gorgonia.org/gorgonia", false, ""},
		{"gorgonia in nn", "nn", "gorgonia.org/gorgonia/ops/nn", false, "toolkit"},
		{"gorgonia in a test", "nn", "gorgonia.org/gorgonia", true, "toolkit"},
		{"cgo", "internal/device/cuda", "C", false, "without cgo"},
		{"cgo in a test", "nn", "C", true, "without cgo"},
		{"the oracle", "weights", "github.com/nlpodyssey/safetensors", false, "oracle"},
		{"the oracle in a test", "weights", "github.com/nlpodyssey/safetensors", true, ""},
		{"goldens in a package", "train", module + "/internal/golden", false, "for tests"},
		{"goldens in a helper of tests", "internal/nntest", module + "/internal/golden", false, ""},
	} {
		p := &pkg{map[string]string{}, map[string]string{}}
		if c.test {
			p.tests[c.imports] = "file_test.go"
		} else {
			p.imports[c.imports] = "file.go"
		}
		got := violations(map[string]*pkg{c.dir: p})
		if (len(got) == 0) != (c.says == "") || !strings.Contains(strings.Join(got, "; "), c.says) {
			t.Errorf("%s: %q, want one that says %q", c.name, got, c.says)
		}
	}
}
