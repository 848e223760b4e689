package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stub records what a helper does to a test: Skip and Fatal end it by a panic
// that run recovers.
type stub struct {
	testing.TB
	skipped, failed string
}

type ended struct{}

func (s *stub) Helper()                   {}
func (s *stub) Cleanup(f func())          { s.TB.Cleanup(f) }
func (s *stub) Skipf(f string, a ...any)  { s.skipped = fmt.Sprintf(f, a...); panic(ended{}) }
func (s *stub) Fatalf(f string, a ...any) { s.failed = fmt.Sprintf(f, a...); panic(ended{}) }
func (s *stub) Errorf(f string, a ...any) { s.failed = fmt.Sprintf(f, a...) }

// run calls f with a stub of t.
func run(t *testing.T, f func(t testing.TB)) (skipped, failed string) {
	t.Helper()
	s := &stub{TB: t}
	func() {
		defer func() {
			if v := recover(); v != nil {
				if _, ok := v.(ended); !ok {
					panic(v)
				}
			}
		}()
		f(s)
	}()
	return s.skipped, s.failed
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRootIsTheFolderOfTheModule(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(Root(t), "go.mod"))
	if err != nil || !strings.HasPrefix(string(text), "module github.com/winnow-go/winnow\n") {
		t.Errorf("%s/go.mod: %.60s (%v)", Root(t), text, err)
	}
}

func TestWhatIsNotThereIsSkippedAndSaysHowToGetIt(t *testing.T) {
	for _, c := range []struct {
		variable, folder string
		find             func(t testing.TB)
	}{
		{"WINNOW_GOLDENS", "goldens", func(t testing.TB) { Dir(t) }},
		{"WINNOW_GOLDENS", "goldens", func(t testing.TB) { Files(t, "models/*.json") }},
		{"WINNOW_GOLDENS", "goldens", func(t testing.TB) { Independent(t, "loss/losses.json") }},
		{"WINNOW_DATA", "data", func(t testing.TB) { Data(t, "cifar10/x.bin") }},
		{"WINNOW_WEIGHTS", "weights", func(t testing.TB) { Weights(t, "x.safetensors") }},
	} {
		t.Setenv(c.variable, filepath.Join(t.TempDir(), "nowhere"))
		t.Setenv("WINNOW_REQUIRE_GOLDENS", "1")
		if skipped, failed := run(t, c.find); skipped != "" || !strings.Contains(failed, "nowhere") {
			t.Errorf("%s: required, but skipped %q, failed %q", c.variable, skipped, failed)
		}
		t.Setenv("WINNOW_REQUIRE_GOLDENS", "")
		skipped, failed := run(t, c.find)
		if failed != "" || !strings.Contains(skipped, "nowhere") || !strings.Contains(skipped, "set "+c.variable) || !strings.Contains(skipped, "../shared/"+c.folder) {
			t.Errorf("%s: skipped %q, failed %q", c.variable, skipped, failed)
		}
	}
	t.Setenv("WINNOW_GOLDENS", t.TempDir())
	if skipped, _ := run(t, func(t testing.TB) { Files(t, "models/*.json") }); !strings.Contains(skipped, "models/*.json") {
		t.Errorf("nothing matches: skipped %q", skipped)
	}
	if _, failed := run(t, func(t testing.TB) { Files(t, "[") }); failed == "" {
		t.Error("a bad pattern is accepted")
	}
}

func TestEachRunsOneSubtestForEveryFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd [name]")
	t.Setenv("WINNOW_GOLDENS", dir)
	for _, name := range []string{"b.json", "a.json", "a.safetensors", "c.txt"} {
		write(t, filepath.Join(dir, "kind", name), `{"name":"`+name+`"}`)
	}
	var names, tests []string
	Each(t, "kind/*.json", func(t *testing.T, g *File) {
		var cfg struct{ Name string }
		g.Config(&cfg)
		names = append(names, cfg.Name)
		tests = append(tests, t.Name())
	})
	if !slices.Equal(names, []string{"a.json", "b.json"}) || !slices.Equal(tests, []string{t.Name() + "/a", t.Name() + "/b"}) {
		t.Errorf("ran %q with %q", tests, names)
	}
}

func TestRelativeFolderIsMeantFromTheRoot(t *testing.T) {
	t.Setenv("WINNOW_DATA", "internal")
	if got, want := Data(t, "golden"), filepath.Join(Root(t), "internal", "golden"); got != want {
		t.Errorf("found %s, want %s", got, want)
	}
}

func TestCommittedGoldensAreNeverSkipped(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "testdata/one.json", `{"x":1}`)
	ran := 0
	Testdata(t, "testdata/*.json", func(t *testing.T, g *File) {
		if ran++; g.Name() != "one" || g.Path() != filepath.Join("testdata", "one.json") {
			t.Errorf("name %q, path %q", g.Name(), g.Path())
		}
	})
	if ran != 1 {
		t.Errorf("%d subtests", ran)
	}
	skipped, failed := run(t, func(t testing.TB) { Open(t, "testdata/two.json") })
	if skipped != "" || !strings.Contains(failed, "two.json") {
		t.Errorf("skipped %q, failed %q", skipped, failed)
	}
}
