package scenes

import (
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

var sheetDir = flag.String("sheet", "", "folder to keep the contact sheets in")

// TestContactSheets draws a PNG for each style, of the ten categories and of
// the strangers: a row for each category, three times as large as life. Look
// at them (go test -run Sheets -sheet DIR) after every change of the drawing:
// a person should name each category at a glance.
func TestContactSheets(t *testing.T) {
	dir := *sheetDir
	if dir == "" {
		dir = t.TempDir()
	}
	const cols, zoom, size, step = 12, 3, 32, 32*3 + 4
	for _, style := range []Style{Training, Testing} {
		for name, open := range map[string]func(Options) (*Set, error){"known": New, "strangers": Strangers} {
			set, err := open(Options{Seed: 7, N: cols * 10, Style: style, Size: size})
			if err != nil {
				t.Fatal(err)
			}
			k := len(set.Classes())
			sheet := image.NewRGBA(image.Rect(0, 0, cols*step, k*step))
			drawn := make([]int, k)
			for i := range set.Len() {
				row := set.Label(i)
				if drawn[row] == cols {
					continue
				}
				pix := pixels(t, set, i)
				x0, y0 := drawn[row]*step, row*step
				drawn[row]++
				for y := range size * zoom {
					for x := range size * zoom {
						at := y/zoom*size + x/zoom
						copy(sheet.Pix[sheet.PixOffset(x0+x, y0+y):], pix[4*at:4*at+4])
					}
				}
			}
			for row, n := range drawn {
				if n < cols {
					t.Errorf("%s %s: %d pictures of %s", style, name, n, set.Classes()[row])
				}
			}
			f, err := os.Create(filepath.Join(dir, style.String()+"-"+name+".png"))
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
