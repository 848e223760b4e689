package scenes

import (
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

var sheetDir = flag.String("sheet", "", "folder in which to write contact sheets")

// TestContactSheet writes, with -sheet DIR, one PNG for each style, of the ten
// categories and of the strangers: a row for each category, four times as
// large as life.
func TestContactSheet(t *testing.T) {
	if *sheetDir == "" {
		t.Skip("a picture for people: run with -sheet DIR to write it")
	}
	const cols, zoom, size = 12, 3, 32
	for _, style := range []Style{Training, Testing} {
		for name, open := range map[string]func(Options) (*Set, error){"known": New, "strangers": Strangers} {
			set, err := open(Options{Seed: 7, N: cols * 10, Style: style, Size: size})
			if err != nil {
				t.Fatal(err)
			}
			k := len(set.Classes())
			sheet := image.NewRGBA(image.Rect(0, 0, cols*(size*zoom+4), k*(size*zoom+4)))
			seen := make([]int, k)
			for i := range set.Len() {
				img, err := set.Image(i)
				if err != nil {
					t.Fatal(err)
				}
				row := set.Label(i)
				if seen[row] == cols {
					continue
				}
				x0, y0 := seen[row]*(size*zoom+4), row*(size*zoom+4)
				seen[row]++
				for y := range size * zoom {
					for x := range size * zoom {
						sheet.Set(x0+x, y0+y, img.At(x/zoom, y/zoom))
					}
				}
			}
			f, err := os.Create(filepath.Join(*sheetDir, style.String()+"-"+name+".png"))
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, sheet); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func BenchmarkImage(b *testing.B) {
	for _, style := range []Style{Training, Testing} {
		b.Run("size=32/style="+style.String(), func(b *testing.B) {
			set, err := New(Options{N: 1 << 20, Style: style})
			if err != nil {
				b.Fatal(err)
			}
			i := 0
			for b.Loop() {
				if _, err := set.Image(i); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "img/s")
		})
	}
}
