package tiny

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/dataset/scenes"
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
