package tiny

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/dataset/scenes"
	"github.com/winnow-go/winnow/internal/rng"
)

func TestFileIsSmallAndSaysWhereItComesFrom(t *testing.T) {
	if len(file) > 4<<20 {
		t.Errorf("%d bytes, want at most 4 MiB", len(file))
	}
	meta, err := Metadata()
	if err != nil {
		t.Fatal(err)
	}
	if got := meta["command"]; !strings.HasPrefix(got, "go run ./examples/trainclip -out FILE -seed ") {
		t.Errorf("command %q", got)
	}
	if got := meta["license"]; got != "Apache-2.0" {
		t.Errorf("licence %q", got)
	}
	if !strings.Contains(meta["command"], "-seed "+meta["seed"]+" ") {
		t.Errorf("seed %q is not the one of the command %q", meta["seed"], meta["command"])
	}
	for key, text := range meta {
		if strings.Contains(text, os.TempDir()) || strings.Contains(text, "/home/") {
			t.Errorf("%s holds a path of the machine that it was made on: %q", key, text)
		}
	}
}

// TestZeroShotIsAsGoodAsARealOne asks with the default templates; other seeds
// than the training's make other pictures.
func TestZeroShotIsAsGoodAsARealOne(t *testing.T) {
	m := open(t)
	for _, seed := range []uint64{1, 7} {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			set, err := scenes.New(scenes.Options{Seed: seed, N: 400})
			if err != nil {
				t.Fatal(err)
			}
			zs, err := m.ZeroShot(t.Context(), clip.Named(set.Classes()...))
			if err != nil {
				t.Fatal(err)
			}
			right := 0
			for r, err := range zs.Each(t.Context(), set) {
				if err != nil {
					t.Fatal(err)
				}
				if r.Index == set.Label(r.Picture) {
					right++
				}
			}
			t.Logf("%.1f %% right", float64(right)/4)
			if right < 240 || right > 360 {
				t.Errorf("%d of 400 right, want 60 to 90 %%", right)
			}
		})
	}
}

// TestPromisedPrecisionHoldsOnOtherScenes fits thresholds on samples drawn
// anew, and counts right labels among the pictures that are not in them: with -v
// it prints what ten seeds give.
func TestPromisedPrecisionHoldsOnOtherScenes(t *testing.T) {
	const pictures, sample, seeds = 2400, 600, 10
	set, err := scenes.New(scenes.Options{Seed: 3, N: pictures})
	if err != nil {
		t.Fatal(err)
	}
	judged := judge(t, clip.Named(set.Classes()...), set).Judged
	for _, c := range []struct{ precision, kept float64 }{{0.85, 0.45}, {0.9, 0.3}, {0.95, 0.05}} {
		precision, broken, share := c.precision, 0, 0.0
		for seed := range uint64(seeds) {
			all := slices.Clone(judged)
			r := rng.New(seed, rng.Test)
			r.Shuffle(pictures, func(i, j int) { all[i], all[j] = all[j], all[i] })
			f, err := clip.FitThresholds(set.Classes(), all[:sample], clip.FitOptions{Precision: precision})
			if err != nil && !errors.Is(err, clip.ErrPrecision) { // a sample may be too unlucky for 0.95
				t.Fatal(err)
			}
			kept, right, named := 0, 0, 0
			for _, j := range all[sample:] {
				if j.Index == j.Label {
					named++
				}
				if f.Thresholds.Verdict(j.Prediction) != clip.Keep {
					continue
				}
				kept++
				if j.Index == j.Label {
					right++
				}
			}
			n := float64(pictures - sample)
			t.Logf("precision %.2f, seed %d: of all labels %.3f are right, %.3f kept, of those %.3f", precision, seed, float64(named)/n, float64(kept)/n, float64(right)/float64(kept))
			share += float64(kept) / n / seeds
			if float64(right) < (precision-0.02)*float64(kept) {
				broken++
			}
		}
		if broken > 1 || share < c.kept {
			t.Errorf("precision %v: missed by more than 0.02 in %d of %d seeds; %.2f kept", precision, broken, seeds, share)
		}
	}
}

// TestVaguePromptsAreFoundOut describes four classes in words that would do for
// any picture.
func TestVaguePromptsAreFoundOut(t *testing.T) {
	set, err := scenes.New(scenes.Options{Seed: 3, N: 600})
	if err != nil {
		t.Fatal(err)
	}
	vague := map[string]string{"bird": "a thing", "cat": "some thing", "fish": "a picture of a thing", "airplane": "a picture"}
	classes := clip.Named(set.Classes()...)
	good := report(t, classes, set)
	for i, c := range classes {
		if text, ok := vague[c.Name]; ok {
			classes[i].Phrases = []string{text}
		}
	}
	bad := report(t, classes, set)
	const line = "cannot be told apart"
	if text := strings.Join(good.Warnings, "\n"); len(good.Inseparable) > 0 || strings.Contains(text, line) || good.Accuracy < 0.65 {
		t.Errorf("good prompts, %.2f right: %v\n%s", good.Accuracy, good.Inseparable, text)
	}
	text := strings.Join(bad.Warnings, "\n")
	for _, want := range []string{`"bird" and "cat" ` + line, `"cat" and "fish" ` + line, `"bird" and "fish" ` + line} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not among the warnings:\n%s", want, text)
		}
	}
	for _, p := range bad.Inseparable {
		if vague[p.A] == "" && vague[p.B] == "" {
			t.Errorf("neither %q nor %q is vague: %+v", p.A, p.B, p)
		}
	}
	if bad.Wordings.Agreement >= good.Wordings.Agreement || bad.Fit.Groups[0].Kept >= good.Fit.Groups[0].Kept {
		t.Errorf("templates agree on %.2f, with good prompts %.2f; %d kept, with good prompts %d",
			bad.Wordings.Agreement, good.Wordings.Agreement, bad.Fit.Groups[0].Kept, good.Fit.Groups[0].Kept)
	}
}

func judge(t *testing.T, classes []clip.Class, set *scenes.Set) *clip.Sample {
	t.Helper()
	zs, err := open(t).ZeroShot(t.Context(), classes)
	if err != nil {
		t.Fatal(err)
	}
	s, err := zs.Judge(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func report(t *testing.T, classes []clip.Class, set *scenes.Set) *clip.Report {
	t.Helper()
	r, err := judge(t, classes, set).Report(t.Context(), clip.FitOptions{Precision: 0.9})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOpenGivesCopiesThatShareNothing(t *testing.T) {
	a, b := open(t), open(t)
	id := b.ID()
	if a.ID() != id {
		t.Error("two copies differ")
	}
	a.Params()[0].Data()[0]++
	a.Refresh()
	b.Refresh()
	if a.ID() == id || b.ID() != id {
		t.Error("a change of one copy is a change of the other, or of none")
	}
}

func TestPackageClipReadsTheSameModelFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tiny.safetensors")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	want, err := clip.Open(path, clip.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := open(t)
	if got.ID() != want.ID() {
		t.Error("another model")
	}
	if got.Transform() != want.Transform() {
		t.Errorf("prepares pictures by %+v, want %+v", got.Transform(), want.Transform())
	}
	const text = "A photo of a striped umbrella, drawn by hand."
	a, b := got.Tokenizer().Encode(text), want.Tokenizer().Encode(text)
	if fmt.Sprint(a) != fmt.Sprint(b) || len(a) == 0 {
		t.Errorf("reads %v, want %v", a, b)
	}
}

func TestDamagedFileIsAnError(t *testing.T) {
	for _, n := range []int{0, 7, 100, len(file) / 2, len(file) - 1} {
		if _, err := clip.Read(strings.NewReader(file), int64(n), clip.Options{}); err == nil {
			t.Errorf("%d bytes of the file are a model", n)
		}
	}
	damaged := strings.Replace(file, `\"embed\":`, `\"embad\":`, 1)
	if _, err := clip.Read(strings.NewReader(damaged), int64(len(damaged)), clip.Options{}); err == nil {
		t.Error("a file with a damaged configuration is a model")
	}
}

func open(t testing.TB) *clip.Model {
	t.Helper()
	m, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	return m
}
