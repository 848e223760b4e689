package golden

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Root is the folder of go.mod, found upward from the working directory, which
// for a test is its package's folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("golden: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatalf("golden: no go.mod in the working directory or above it")
		}
		dir = up
	}
}

// Dir is the folder of the independent goldens. The test is skipped if it is
// not there, or fails if the environment has WINNOW_REQUIRE_GOLDENS, as the
// gate sets it.
func Dir(t testing.TB) string { t.Helper(); return place(t, "WINNOW_GOLDENS", "goldens") }

// Data is the path of a file or folder among the data, such as
// "cifar10/test_first1017_lossless.bin". The test is skipped if it is not
// there.
func Data(t testing.TB, name string) string {
	t.Helper()
	return place(t, "WINNOW_DATA", "data", name)
}

// Weights is the path of a file among the published weights, such as
// "cifar10_resnet20.safetensors". The test is skipped if it is not there.
func Weights(t testing.TB, name string) string {
	t.Helper()
	return place(t, "WINNOW_WEIGHTS", "weights", name)
}

// place finds name below the folder that variable names. A relative value of
// the variable is meant from the root of the module, as the default is: a test
// runs in its package's folder, which is nobody's idea of "here".
func place(t testing.TB, variable, folder string, name ...string) string {
	t.Helper()
	base := os.Getenv(variable)
	if base == "" {
		base = filepath.Join("..", "shared", folder)
	}
	if !filepath.IsAbs(base) {
		base = filepath.Join(Root(t), base)
	}
	path := filepath.Join(append([]string{base}, name...)...)
	if _, err := os.Stat(path); err != nil {
		if _, err := os.Stat(base); err != nil && os.Getenv("WINNOW_REQUIRE_GOLDENS") != "" {
			t.Fatalf("golden: WINNOW_REQUIRE_GOLDENS is set and the folder %s is not there", base)
		}
		t.Skipf("golden: %s is not there; set %s to the folder with the %s (default ../shared/%s from the root of the module)", path, variable, folder, folder)
	}
	return path
}

// Files lists the independent goldens that match a pattern such as
// "models/*.json", in order. The test is skipped if the folder is not there or
// nothing matches.
func Files(t testing.TB, pattern string) []string {
	t.Helper()
	files := match(t, Dir(t), pattern)
	if len(files) == 0 {
		t.Skipf("golden: no %s in %s", pattern, Dir(t))
	}
	return files
}

func match(t testing.TB, dir, pattern string) []string {
	t.Helper()
	if _, err := filepath.Match(pattern, ""); err != nil {
		t.Fatalf("golden: pattern %q: %v", pattern, err)
	}
	files, err := filepath.Glob(escape(dir) + string(filepath.Separator) + filepath.FromSlash(pattern))
	if err != nil {
		t.Fatalf("golden: %v", err)
	}
	return files
}

// escape keeps a folder's name from being taken for a pattern.
func escape(dir string) string {
	if filepath.Separator == '\\' {
		return dir
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// Each runs f in one subtest for every independent golden that matches, named
// after the file without its extension.
func Each(t *testing.T, pattern string, f func(t *testing.T, g *File)) {
	t.Helper()
	each(t, Files(t, pattern), f)
}

// Testdata is Each for committed goldens: the pattern is relative to the
// package's folder, such as "testdata/*.json", and it is an error if nothing
// matches.
func Testdata(t *testing.T, pattern string, f func(t *testing.T, g *File)) {
	t.Helper()
	files := match(t, ".", pattern)
	if len(files) == 0 {
		t.Fatalf("golden: no %s; run the gen.py beside them", pattern)
	}
	each(t, files, f)
}

func each(t *testing.T, files []string, f func(t *testing.T, g *File)) {
	for _, path := range files {
		g := &File{path: path}
		t.Run(g.Name(), func(t *testing.T) { f(t, Open(t, path)) })
	}
}
